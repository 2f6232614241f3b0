"""A connection's page with what depends on its exports and acks: the way to them, what else lies in its ack folder, and
folders that may still be created."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

from connectors.dropzones import missing_folders
from connectors.dropzones.connector import DropzoneConnector
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import ConfigError, ConnectorError
from connectors.models import ERPConnection
from connectors.registry import registry
from exports.acks.folder_counts import Counted
from exports.acks.reading_obstacles import MOVE_THEM, place_of, stranded
from exports.admin.filters import OPEN, TO_CHECK, acks_url, exports_url
from exports.models import ERPExport, Lane
from exports.models.status import ExportStatus
from orderflow.admin.extensions import PageExtension
from orderflow.admin.formatting import local_time
from orderflow.admin.pages import Button, Note
from orderflow.admin.scoped import actor
from orderflow.tenancy.audit import record
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may

WORDS = {
    Counted.UNREAD: "not read though they name an order (see the acknowledgement files)",
    Counted.TEMPORARY: "with temporary names",
    Counted.FOREIGN: "that are no acknowledgements",
    Counted.IRREGULAR: "that are folders or links",
    Counted.TESTS: "about the file of a connection test",
}


class ConnectionExports(PageExtension):
    actions = ("make_folders",)

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.EDIT_CONNECTIONS)

    def notes(self, request: HttpRequest, obj: ERPConnection) -> Iterator[Note]:
        if was_used(obj):
            exports = exports_url(connection__id__exact=obj.pk)
            yield Note(
                level="info", text="Orders were pushed over this connection.", href=exports, link="See its exports"
            )
        elif paths := folders_to_create(obj):
            text = f"The server has no folder {' and no folder '.join(paths)} of {obj.organization} yet."
            yield Note(level="warning", text=f"{text} The ERP may create them, or OrderFlow does it for you.")
        yield from stranded_notes(obj)
        lane = Lane.objects.filter(connection=obj, kind=Lane.Kind.ACKS).only("folder").first()
        if lane and lane.folder and lane.folder["counts"]:
            files = acks_url(**{OPEN: TO_CHECK}, connection__id__exact=obj.pk)
            unread = {"level": "warning", "href": files, "link": "See the files to check"}
            is_unread = Counted.UNREAD in lane.folder["counts"]
            yield Note(text=counted(lane.folder), **(unread if is_unread else {"level": "info"}))

    def buttons(self, request: HttpRequest, obj: ERPConnection) -> Iterator[Button]:
        if not was_used(obj) and folders_to_create(obj):
            yield Button(action="make_folders", label="Create the folders", icon="create_new_folder")

    @admin.action(description="Create missing folders", permissions=["edit"])
    def make_folders(self, request: HttpRequest, rows: models.QuerySet[ERPConnection]) -> None:
        for connection in rows.select_related("organization"):
            try:
                paths = _make_folders(connection, actor(request))
            except ConnectorError as error:
                messages.error(request, f"{connection}: {error}")
            else:
                done = f"created {', '.join(paths)}. Test the connection now." if paths else "no folder is missing."
                messages.success(request, f"{connection}: {done}")


def counted(folder: dict[str, Any]) -> str:
    """What `FolderAccount.summary` found, in a sentence."""
    found = [f"{folder['counts'][kind]:,} {words}" for kind, words in WORDS.items() if kind in folder["counts"]]
    at = local_time(datetime.fromisoformat(folder["at"]))
    return f"Besides acknowledgements, the ack folder held at {at}: {', '.join(found)}."


def was_used(connection: ERPConnection) -> bool:
    return ERPExport.objects.filter(connection=connection).exists()


def _has_staged(settings: DropzoneSettings) -> bool:
    """Whether a file was staged there, over any connection, that was not recorded as published. Where its folder is
    missing, a new one would look as if the ERP had taken the file."""
    staged = ERPExport.objects.filter(status=ExportStatus.PENDING, staged_path__startswith=f"{settings.place}/")
    return staged.exists()


def folders_to_create(connection: ERPConnection) -> list[str]:
    """None after a test that passed: the worker that ran it has them, even where this process sees none."""
    if connection.last_test_success:
        return []
    try:
        settings = _settings(connection)
        return missing_folders.missing(settings) if settings and not _has_staged(settings) else []
    except ConnectorError:
        return []


def _make_folders(connection: ERPConnection, who: str) -> list[str]:
    """Raises `ConnectorError`."""
    settings = _settings(connection)
    if settings is None or settings.target is not None:
        raise ConfigError("It leads to a server. Create its folders there.")
    if was_used(connection) or _has_staged(settings):
        raise ConfigError(
            "Orders were pushed into it, so a missing folder may be a share that is not mounted. Mount it, or create "
            "the folder on the server after you have made sure."
        )
    paths = missing_folders.make(settings)
    if paths:
        record(connection.organization_id, who, "create folders", connection, folders=", ".join(paths))
    return paths


def _settings(connection: ERPConnection) -> DropzoneSettings | None:
    """None for a connector without folders. Raises `ConnectorError`."""
    connector = registry.create(connection.connector_type)
    if not isinstance(connector, DropzoneConnector):
        return None
    return connector.settings(connection.runtime_config())


def stranded_notes(connection: ERPConnection) -> Iterator[Note]:
    """About acknowledgements that are expected where the edited connection does not read."""
    rows = stranded(connection)
    found = rows.count()
    if found:
        wait = (
            "1 sent order waits for an acknowledgement"
            if found == 1
            else f"{found:,} sent orders wait for acknowledgements"
        )
        href = exports_url(connection__id__exact=connection.pk, status__exact=ExportStatus.SENT)
        yield Note(level="warning", text=f"{wait} in {place_of(rows)}. {MOVE_THEM}", href=href, link="See the exports")
