"""Orders whose acknowledgements were expected where their connection, since it was edited, reads no more."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connectors.models import ERPConnection
from exports.acks.reading_obstacles import awaiting
from exports.decisions import withdraw
from exports.models import ERPExport, EventKind, ExportEvent, event_log
from exports.models.event_log import Event
from exports.models.status import ExportStatus


def awaiting_or_begun(connection: ERPConnection) -> QuerySet[ERPExport]:
    """And those that are PENDING and may be at the ERP already: its acknowledgement comes to where they were put."""
    pending = ERPExport.objects.filter(connection=connection, status=ExportStatus.PENDING)
    begun = pending.exclude(**withdraw.UNTOUCHED)
    return ERPExport.objects.filter(Q(pk__in=awaiting(connection).values("pk")) | Q(pk__in=begun.values("pk")))


def count(*, connection: ERPConnection, **_: Any) -> int:
    return awaiting_or_begun(connection).count()


def note(*, connection: ERPConnection, place: str, actor: str, **_: Any) -> None:
    """The first place stays that of an export, however often the connection is edited."""
    noted = ExportEvent.objects.filter(export=OuterRef("pk"), kind=EventKind.ACKS_LEFT)
    now = timezone.now()
    text = f"{actor} edited the connection. An acknowledgement in {place} is not read any more."[:500]
    keys = awaiting_or_begun(connection).filter(~Exists(noted)).values_list("pk", flat=True)
    event_log.note(Event(pk, EventKind.ACKS_LEFT.value, now, text, {"ack_place": place}, actor) for pk in keys)
