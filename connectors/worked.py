"""Whether orders were put into the folder that a connection names, before a missing one is taken for an outage."""

from django.db.models.functions import Now

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.third_party import guarded


def note(connection: ERPConnection) -> None:
    """Orders were put into the folder that `connection` names; an edit since it was read may have named another."""
    if connection.worked_at is None:
        rows = ERPConnection.objects.filter(pk=connection.pk, revision=connection.revision, worked_at=None)
        rows.update(worked_at=Now())


def count_edit(before: ERPConnection | None, after: ERPConnection) -> None:
    """Nothing is known of the folder of `after` unless `before` put orders there too."""
    place = before and _place(before)
    if not place or place != _place(after):
        ERPConnection.objects.filter(pk=after.pk).update(worked_at=None)


def _place(connection: ERPConnection) -> str | None:
    """None where the config cannot be read."""
    try:
        with guarded(connection.connector_type):
            return registry.create(connection.connector_type).order_place(connection.runtime_config())
    except ConnectorError:
        return None
