"""Setting a connection up: config checked and encrypted, one default, tests. Admin, API and commands come here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from connectors import health
from connectors.base_connector import BaseConnector
from connectors.changes_told import changes_told
from connectors.default_connection import is_first
from connectors.exceptions import ConfigError, ConnectorError
from connectors.models import ERPConnection
from connectors.ports import TestResult, TestStep
from connectors.registry import registry
from connectors.secrets_stay import require_secrets_for
from connectors.storable import checked_result, checked_steps, require_storable
from connectors.third_party import configuring, guarded, words
from orderflow.tenancy.models import VALUES, record


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionChanges:
    """What to set; None leaves a value as it is. In `config` a secret that is missing or empty keeps the stored one,
    and None removes it. An organization's first connection becomes its default, unless `is_default` is False."""

    name: str | None = None
    status: str | None = None
    is_default: bool | None = None
    config: Mapping[str, Any] | None = None


def merged_config(connection: ERPConnection, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The stored config with `changes` laid over it, checked. Raises `ConfigError`, also where a stored secret would
    follow to another server."""
    with configuring(connection.connector_type):
        connector = registry.create(connection.connector_type)
        _require_known(connector, changes)
        _require_types(connector, changes)
        stored = _readable_config(connection, entering=bool(changes))
        entered = {name: value for name, value in changes.items() if name not in connector.secret_fields or value != ""}
        merged = {name: value for name, value in {**stored, **entered}.items() if value is not None}
        config = connector.clean_config(merged)
        require_storable(config)
        require_secrets_for(connector, config, stored, entered)
        return config


def _readable_config(connection: ERPConnection, *, entering: bool) -> dict[str, Any]:
    """A config that cannot be decrypted may be entered anew: then there is nothing to lay the changes over."""
    if not connection.config_encrypted:
        return {}
    try:
        return connection.stored_config()
    except ConfigError:
        if entering:
            return {}
        raise


def _require_known(connector: BaseConnector, changes: Mapping[str, Any]) -> None:
    known = connector.config_form.base_fields
    unknown = sorted(changes.keys() - known.keys())
    if unknown:
        text = f"There is no config field {unknown[0]!r}. {connector.label} has {', '.join(known)}."
        raise ConfigError(text, field=unknown[0])


def _require_types(connector: BaseConnector, changes: Mapping[str, Any]) -> None:
    """A form reads any value as a text, and any text but a few as true: what was meant otherwise is told here."""
    for name, value in changes.items():
        field = connector.config_form.base_fields[name]
        if value is None or isinstance(field, forms.MultipleChoiceField):
            continue
        if isinstance(field, forms.BooleanField) and not isinstance(value, bool):
            raise ConfigError(f"The config field {name!r} is wrong: it is true or false.", field=name)
        if not isinstance(field, forms.BooleanField) and isinstance(value, bool | dict | list):
            raise ConfigError(f"The config field {name!r} is wrong: it is a text or a number.", field=name)


@transaction.atomic
def save(connection: ERPConnection, changes: ConnectionChanges, *, actor: str) -> ERPConnection:
    """Create or change a connection; an edit releases a block. Raises `ConfigError`, nothing is saved then."""
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
        ERPConnection.objects.filter(pk=connection.pk).update(revision=F("revision") + 1)
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

    A test of the stored config is kept on the connection, and a success releases a block.
    """
    try:
        ends_at = time.monotonic() + settings.CONNECTION_TEST_LIMIT_S
        config = connection.runtime_config(merged_config(connection, unsaved or {}), ends_at=ends_at)
        with guarded(connection.connector_type):
            connector = registry.create(connection.connector_type)
            result = checked_result(connector.test_connection(config, on_step=checked_steps(on_step)))
    except ConnectorError as error:
        result = TestResult(success=False, latency_ms=0, error_message=words(error))
    if not unsaved:
        _keep(connection, result, actor)
    return result


@transaction.atomic
def _keep(connection: ERPConnection, result: TestResult, actor: str) -> None:
    ERPConnection.objects.filter(pk=connection.pk).update(
        last_test_at=timezone.now(),
        last_test_success=result.success,
        last_test_message=(result.error_message or "")[:500],
        last_test_latency_ms=result.latency_ms,
    )
    if result.success:
        health.release(connection.pk, actor=actor, cause="A test passed.", tested=True)
    record(
        connection.organization_id, actor, "test connection", connection, outcome="ok" if result.success else "failed"
    )
