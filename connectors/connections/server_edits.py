"""Whether what is known of a connection's server holds of the one that an edit names."""

from typing import Any

from django.db.models import F

from connectors.connections.public_config import public_config
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from connectors.registry import registry


def count_edit(before: ERPConnection | None, after: ERPConnection) -> None:
    """A new revision of `after`, of whose server nothing is known unless `before` led there too. What another config
    has shown of logins and deliveries is no longer known either."""
    known = before is not None and _leads_to(before) == _leads_to(after)
    forgotten: dict[str, Any] = {} if known else {"resolved_at": None, "reached_at": None}
    if before is None or not _is_same_config(before, after):
        forgotten |= {"login_first": "", "works_since": None}
    ERPConnection.objects.filter(pk=after.pk).update(revision=F("revision") + 1, **forgotten)


def _leads_to(connection: ERPConnection) -> dict[str, Any]:
    """Like nothing else where the config cannot be read."""
    values = public_config(connection).values
    if values is None:
        return {"unreadable": object()}
    return {name: values.get(name) for name in registry.connector_class(connection.connector_type).server_fields}


def _is_same_config(before: ERPConnection, after: ERPConnection) -> bool:
    """The config is encrypted anew each time that it is saved, so its envelope says nothing."""
    try:
        return before.stored_config() == after.stored_config()
    except ConfigError:
        return before.config_encrypted == after.config_encrypted
