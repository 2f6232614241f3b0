"""Bring every config under the current key. Each row is its own step, so a rotation that was stopped goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import BinaryField, Q, QuerySet
from django.db.models.functions import Substr

from connectors.encryption import KEY_ID_SIZE, VERSION, envelopes_begin
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection, key_ring

PAGE = 500
# Somebody who keeps editing one connection at that pace is left to the next run.
TRIES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """`problem` is empty when the config is under the current key by now, or would be in a dry run."""

    connection: ERPConnection
    problem: str = ""


def outdated() -> QuerySet[ERPConnection]:
    """Connections whose config is not under the current key; an unreadable envelope counts as one."""
    rows = ERPConnection.objects.annotate(
        sealed_by=Substr("config_encrypted", 1, len(VERSION) + KEY_ID_SIZE, output_field=BinaryField())
    )
    # SQLite makes nothing at all of the beginning of nothing.
    return rows.filter(Q(sealed_by=None) | ~Q(sealed_by=envelopes_begin(key_ring().current_id)))


def rotate(*, dry_run: bool) -> Iterator[Rotated]:
    """One row at a time, each with its own commit: neither a push nor an edit ever waits for more than one."""
    attempt = _opens if dry_run else _is_sealed_anew
    for connection in _pages(outdated()):
        yield Rotated(connection=connection, problem=_problem(connection, attempt))


def _problem(connection: ERPConnection, attempt: Callable[[ERPConnection], bool]) -> str:
    row: ERPConnection | None = connection
    for _ in range(TRIES):
        try:
            if row is None or attempt(row):
                return ""
        except ConfigError as error:
            return str(error)
        # An edit won: by a process that seals with the current key, or by one that does not know it yet.
        row = outdated().filter(pk=connection.pk).first()
    return f"Connection {connection.name!r} was edited each time that its config was encrypted anew. Run this again."


def _opens(connection: ERPConnection) -> bool:
    connection.stored_config()
    return True


def _is_sealed_anew(connection: ERPConnection) -> bool:
    """Unless the stored config is another one by now. Raises `ConfigError`."""
    config, old = connection.stored_config(), bytes(connection.config_encrypted)
    connection.set_config(config)
    rows = ERPConnection.objects.filter(pk=connection.pk, config_encrypted=old)
    return rows.update(config_encrypted=connection.config_encrypted) == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A connection, by organization and name, whose config does not open. `missing_key` as in `ConfigError`."""

    name: str
    reason: str
    missing_key: str


def unreadable() -> Iterator[Unreadable]:
    """Every config is tried: an envelope that was changed or swapped names a key that is set."""
    # The start looks before it migrates: a column that is new must not be asked for.
    rows = ERPConnection.objects.select_related("organization").only("name", "config_encrypted", "organization__slug")
    for row in _pages(rows):
        try:
            row.stored_config()
        except ConfigError as error:
            name = f"{row.organization.slug}/{row.name}"
            yield Unreadable(name=name, reason=str(error), missing_key=error.missing_key)


def _pages(rows: QuerySet[ERPConnection]) -> Iterator[ERPConnection]:
    """All of them, in memory a page at a time; what is added or changed behind the reader is not seen."""
    page = list(rows.order_by("pk")[:PAGE])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1].pk).order_by("pk")[:PAGE])
