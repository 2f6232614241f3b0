"""Whether what is known of a connection's server and folders holds of those that an edit names."""

from collections.abc import Iterable
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from connectors.models import ERPConnection
from connectors.public_config import public_config
from connectors.registry import registry


def count_edit(before: ERPConnection | None, after: ERPConnection) -> None:
    """A new revision of `after`, of whose server and folder nothing is known unless `before` led there too."""
    forgotten: dict[str, Any] = {}
    if before is None or _leads_to(before) != _leads_to(after):
        forgotten = {"reached_at": None, "worked_at": None}
    elif _puts_orders_into(before) != _puts_orders_into(after):
        forgotten = {"worked_at": None}
    ERPConnection.objects.filter(pk=after.pk).update(revision=F("revision") + 1, **forgotten)


def note_worked(connection: ERPConnection) -> None:
    """Orders were put into the folder that `connection` names; an edit since it was read may have named another."""
    if connection.worked_at is None:
        rows = ERPConnection.objects.filter(pk=connection.pk, revision=connection.revision, worked_at=None)
        rows.update(worked_at=Now())


def _leads_to(connection: ERPConnection) -> dict[str, Any]:
    return _values(connection, registry.connector_class(connection.connector_type).server_fields)


def _puts_orders_into(connection: ERPConnection) -> dict[str, Any]:
    return _values(connection, registry.connector_class(connection.connector_type).order_fields)


def _values(connection: ERPConnection, names: Iterable[str]) -> dict[str, Any]:
    """Like nothing else where the config cannot be read."""
    values = public_config(connection).values
    if values is None:
        return {"unreadable": object()}
    return {name: values.get(name) for name in names}
