"""Whether orders were put into the folder that a connection names, before a missing one is taken for an outage."""

from typing import Any

from django.db.models.functions import Now

from connectors.models import ERPConnection
from connectors.public_config import public_config
from connectors.registry import registry


def note(connection: ERPConnection) -> None:
    """Orders were put into the folder that `connection` names; an edit since it was read may have named another."""
    if connection.worked_at is None:
        rows = ERPConnection.objects.filter(pk=connection.pk, revision=connection.revision, worked_at=None)
        rows.update(worked_at=Now())


def count_edit(before: ERPConnection | None, after: ERPConnection) -> None:
    """Nothing is known of the folder of `after` unless `before` put orders there too."""
    if before is None or _puts_orders_into(before) != _puts_orders_into(after):
        ERPConnection.objects.filter(pk=after.pk).update(worked_at=None)


def _puts_orders_into(connection: ERPConnection) -> dict[str, Any]:
    """Like nothing else where the config cannot be read."""
    values = public_config(connection).values
    if values is None:
        return {"unreadable": object()}
    connector = registry.connector_class(connection.connector_type)
    return {name: values.get(name) for name in (*connector.server_fields, *connector.order_fields)}
