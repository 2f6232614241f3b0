"""Whether orders were put into the folder that a connection names, before a missing one is taken for an outage."""

import posixpath
from collections.abc import Iterable

from django.db.models.functions import Now

from connectors.dropzones.connector import DropzoneConnector
from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.third_party.errors import guarded


def note(connection: ERPConnection, paths: Iterable[str] | None = None) -> None:
    """Files were put at `paths`, or into the folder that `connection` names; an edit since it was read may have named
    another, and what was staged before an edit is published in the former folder."""
    if connection.worked_at is None and (paths is None or _is_present(connection, paths)):
        rows = ERPConnection.objects.filter(pk=connection.pk, revision=connection.revision, worked_at=None)
        rows.update(worked_at=Now())


def count_edit(before: ERPConnection | None, after: ERPConnection) -> None:
    """Nothing is known of the folder of `after` unless `before` put orders there too."""
    place = before and _place(before)
    if not place or place != _place(after):
        ERPConnection.objects.filter(pk=after.pk).update(worked_at=None)


def _is_present(connection: ERPConnection, paths: Iterable[str]) -> bool:
    """Whether one of the paths lies in the present folder. Of a connector without folders nothing else is known."""
    try:
        with guarded(connection.connector_type):
            connector = registry.create(connection.connector_type)
            if not isinstance(connector, DropzoneConnector):
                return True
            folder = posixpath.normpath(connector.settings(connection.runtime_config()).export_path)
    except ConnectorError:
        return False
    return any(posixpath.normpath(posixpath.dirname(path)) == folder for path in paths)


def _place(connection: ERPConnection) -> str | None:
    """None where the config cannot be read."""
    try:
        with guarded(connection.connector_type):
            return registry.create(connection.connector_type).order_place(connection.runtime_config())
    except ConnectorError:
        return None
