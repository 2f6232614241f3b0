"""Whether what is known of a connection's server holds of the one that an edit names."""

from typing import Any

from connectors.models import ERPConnection
from connectors.public_config import public_config
from connectors.registry import registry


def as_unreached(before: ERPConnection | None, after: ERPConnection) -> dict[str, Any]:
    """The columns to set: none where `after` leads to the same server as `before`."""
    return {} if before and _leads_to(before) == _leads_to(after) else {"reached_at": None}


def _leads_to(connection: ERPConnection) -> dict[str, Any]:
    """Like nothing else where the config cannot be read."""
    values = public_config(connection).values
    if values is None:
        return {"unreadable": object()}
    return {name: values.get(name) for name in registry.connector_class(connection.connector_type).server_fields}
