"""A connection's page, with what the last poll found in its ack folder besides acknowledgements."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from connectors.admin import ERPConnectionAdmin
from connectors.connection_columns import local_time
from connectors.models import ERPConnection
from exports.folder_account import Counted
from exports.models import Lane
from orderflow.tenancy.admin_page import Note

WORDS = {
    Counted.UNREAD: "not read though they name an order (see the acknowledgement files)",
    Counted.TEMPORARY: "with temporary names",
    Counted.FOREIGN: "that are no acknowledgements",
    Counted.IRREGULAR: "that are folders or links",
}

admin.site.unregister(ERPConnection)


@admin.register(ERPConnection)
class CountingConnectionAdmin(ERPConnectionAdmin):
    def notes(self, request: HttpRequest, obj: ERPConnection) -> Iterator[Note]:
        yield from super().notes(request, obj)
        lane = Lane.objects.filter(connection=obj, kind=Lane.Kind.ACKS).only("folder").first()
        if lane and lane.folder and lane.folder["counts"]:
            yield Note(
                level="warning" if Counted.UNREAD in lane.folder["counts"] else "info", text=counted(lane.folder)
            )


def counted(folder: dict[str, Any]) -> str:
    """What `FolderAccount.summary` found, in a sentence."""
    told = [f"{folder['counts'][kind]:,} {words}" for kind, words in WORDS.items() if kind in folder["counts"]]
    at = local_time(datetime.fromisoformat(folder["at"]))
    return f"Besides acknowledgements, the ack folder held at {at}: {', '.join(told)}."
