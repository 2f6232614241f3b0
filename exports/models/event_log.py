"""The history of exports, written for a batch at once."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from exports.models import ExportEvent
from orderflow.db.bulk import insert_each


class Event(NamedTuple):
    """The fields of an `ExportEvent`. A tuple for speed: a batch has hundreds."""

    export_id: UUID
    kind: str
    at: datetime
    message: str = ""
    detail: Mapping[str, Any] = {}
    actor: str = ""


def note(events: Iterable[Event]) -> None:
    insert_each(ExportEvent.objects.db, ExportEvent, Event._fields, list(events))
