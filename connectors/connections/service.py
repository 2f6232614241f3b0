"""Setting a connection up: config checked and encrypted, one default, tests. Admin, API and commands come here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.connections import ack_places, folder_edits, health
from connectors.connections.change_summary import changes_told
from connectors.connections.config_merge import merged_config
from connectors.connections.lookup import is_first
from connectors.connections.server_edits import count_edit
from connectors.exceptions import ConfigError, ConnectorError
from connectors.models import ERPConnection
from connectors.ports import TestResult, TestStep
from connectors.registry import registry
from connectors.third_party.errors import guarded, words
from connectors.third_party.value_check import checked_result, checked_steps
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import VALUES

OUTDATED = (
    "The connection was edited while this test ran, so its result says nothing of the present settings and was "
    "discarded. Test it again."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionChanges:
    """What to set; None leaves a value as it is. In `config` a secret that is missing or empty keeps the stored one,
    and None removes it. An organization's first connection becomes its default, unless `is_default` is False.
    `leave_acks` confirms that acknowledgements which are still awaited will not be read where they were expected."""

    name: str | None = None
    status: str | None = None
    is_default: bool | None = None
    config: Mapping[str, Any] | None = None
    leave_acks: bool = False


@transaction.atomic
def save(connection: ERPConnection, changes: ConnectionChanges, *, actor: str) -> ERPConnection:
    """Create or change a connection; an edit releases a block. Raises `ConfigError`, which is `AcksAwaited` where
    `leave_acks` would be needed; nothing is saved then."""
    before = _brought_up_to_date(connection)
    if connection._state.adding and changes.is_default is None:
        changes = replace(changes, is_default=is_first(connection.organization_id) or None)
    for name in ("name", "status", "is_default"):
        value = getattr(changes, name)
        if value is not None:
            setattr(connection, name, value)
    changed = [name for name in ("name", "status", "is_default") if getattr(changes, name) is not None]
    if changes.config is not None or not connection.config_encrypted:
        connection.set_config(merged_config(connection, changes.config or {}))
        changed += ["config_encrypted"]
    if before is not None and not changes.leave_acks:
        ack_places.require_none_awaited(before, connection)
    try:
        _write(connection, changed, actor, changes.config or {}, before)
    except IntegrityError as error:
        raise ConfigError(f"There is a connection named {connection.name!r} already.", field="name") from error
    connection.refresh_from_db()
    return connection


def _brought_up_to_date(connection: ERPConnection) -> ERPConnection | None:
    """The row as it is stored, locked; None for a new one. `connection` was read earlier and takes what others have
    saved since, so that the changes are laid over that."""
    if connection._state.adding:
        return None
    stored = ERPConnection.objects.select_for_update(no_key=True).filter(pk=connection.pk).first()
    if stored is None:
        return None
    for name in ("name", "status", "is_default"):
        setattr(connection, name, getattr(stored, name))
    # Emptied by who enters the config anew.
    if connection.config_encrypted:
        connection.config_encrypted = stored.config_encrypted
    return stored


@transaction.atomic
def _write(
    connection: ERPConnection, changed: list[str], actor: str, config: Mapping[str, Any], before: ERPConnection | None
) -> None:
    creating = connection._state.adding
    if connection.is_default:
        others = ERPConnection.objects.filter(organization_id=connection.organization_id, is_default=True)
        others.exclude(pk=connection.pk).update(is_default=False)
    if creating:
        connection.save(force_insert=True)
    else:
        connection.save(update_fields=[*changed, "updated_at"])
        count_edit(before, connection)
        folder_edits.count_edit(before, connection)
        ack_places.note_edit(before, connection, actor=actor)
        health.release(connection.pk, actor=actor, cause="The connection was edited.")
    record(
        connection.organization_id,
        actor,
        "create connection" if creating else "edit connection",
        connection,
        fields=", ".join(changed),
        config=", ".join(sorted(config)),
        **{VALUES: changes_told(before, connection, config)},
    )


class NotPaused(Exception):
    """There is no pause to end."""


@transaction.atomic
def resume(connection: ERPConnection, *, actor: str) -> None:
    """Use a paused connection again before its time; its orders go at once. Raises `NotPaused`."""
    if not health.resume(connection.pk, actor=actor, cause="Resumed by hand."):
        raise NotPaused(f"Connection {connection.name!r} is not paused.")
    record(connection.organization_id, actor, "resume connection", connection)


def test(
    connection: ERPConnection,
    *,
    actor: str,
    unsaved: Mapping[str, Any] | None = None,
    on_step: Callable[[TestStep], None] | None = None,
) -> TestResult:
    """Try the connection with its stored config and `unsaved` edits over it. Never raises `ConnectorError`.

    A test of the stored config is kept on the connection. A success releases a block, a rejected login sets one. Where
    the connection was edited while the test ran, nothing is kept, and the result is a failure that says so.
    """
    try:
        ends_at = time.monotonic() + settings.CONNECTION_TEST_LIMIT_S
        merged = merged_config(connection, unsaved or {})
        config = connection.runtime_config(merged if unsaved else None, ends_at=ends_at)
        with guarded(connection.connector_type):
            connector = registry.create(connection.connector_type)
            result = checked_result(connector.test_connection(config, on_step=checked_steps(on_step)))
    except ConnectorError as error:
        each = error.each if isinstance(error, ConfigError) else [error]
        message = " ".join(words(one) for one in each)
        result = TestResult(success=False, latency_ms=0, error_message=message)
    if not unsaved and not _keep(connection, result, actor):
        return replace(result, success=False, error_message=OUTDATED, host_key=None)
    return result


@transaction.atomic
def _keep(connection: ERPConnection, result: TestResult, actor: str) -> bool:
    """False where the connection was edited since it was read: what a test met says nothing of the new settings."""
    kept = ERPConnection.objects.filter(pk=connection.pk, revision=connection.revision).update(
        last_test_at=timezone.now(),
        last_test_success=result.success,
        last_test_message=(result.error_message or "")[:500],
        last_test_latency_ms=result.latency_ms,
        works_since=timezone.now() if result.success else None,
    )
    if kept and result.success:
        folder_edits.note(connection)
        health.release(connection.pk, actor=actor, cause="A test passed.", tested=True)
    elif result.login_refused:
        health.block(connection.pk, result.error_message or "", revision=connection.revision)
    outcome = ("ok" if result.success else "failed") if kept else "discarded"
    record(connection.organization_id, actor, "test connection", connection, outcome=outcome)
    return kept == 1
