"""Whether what is known of a connection's server holds of the one that an edit names."""

from typing import Any

from django.db.models import F

from connectors.models import ERPConnection
from connectors.public_config import public_config
from connectors.registry import registry


def count_edit(before: ERPConnection | None, after: ERPConnection) -> None:
    """A new revision of `after`, of whose server nothing is known unless `before` led there too."""
    forgotten = {} if before and _leads_to(before) == _leads_to(after) else {"reached_at": None}
    ERPConnection.objects.filter(pk=after.pk).update(revision=F("revision") + 1, **forgotten)


def _leads_to(connection: ERPConnection) -> dict[str, Any]:
    """Like nothing else where the config cannot be read."""
    values = public_config(connection).values
    if values is None:
        return {"unreadable": object()}
    return {name: values.get(name) for name in registry.connector_class(connection.connector_type).server_fields}
