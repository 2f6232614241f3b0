"""Bring every config under the current key. Each row is its own step, so a rotation that was stopped goes on."""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.encryption import sealing_key_id
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection, key_ring


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """`problem` is empty when the config is under the current key by now, or would be in a dry run."""

    connection: ERPConnection
    problem: str = ""


def outdated() -> list[ERPConnection]:
    """Connections whose config is not under the current key; an unreadable envelope counts as one."""
    current = key_ring().current_id
    return [row for row in ERPConnection.objects.select_related("organization") if _sealed_by(row) != current]


def rotate(*, dry_run: bool) -> Iterator[Rotated]:
    for connection in outdated():
        try:
            config, old = connection.stored_config(), bytes(connection.config_encrypted)
        except ConfigError as error:
            yield Rotated(connection=connection, problem=str(error))
            continue
        if not dry_run:
            connection.set_config(config)
            # An edit in the meantime has sealed its own config, with the current key.
            rows = ERPConnection.objects.filter(pk=connection.pk, config_encrypted=old)
            rows.update(config_encrypted=connection.config_encrypted)
        yield Rotated(connection=connection)


def unreadable() -> list[str]:
    """Connections whose config no key of the ring opens, by organization and name."""
    ring = key_ring()
    return [f"{row.organization.slug}/{row.name}" for row in outdated() if not ring.holds(_sealed_by(row))]


def _sealed_by(connection: ERPConnection) -> bytes:
    try:
        return sealing_key_id(bytes(connection.config_encrypted))
    except ValueError:
        return b""
