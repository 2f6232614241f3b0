"""Orders whose acknowledgements were expected where their connection, since it was edited, reads no more."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connectors import ack_places
from connectors.models import ERPConnection
from exports import history, withdrawing
from exports.history import Event
from exports.models import ERPExport, EventKind, ExportEvent
from exports.open_filters import exports_url
from exports.transitions import ExportStatus
from orderflow.tenancy.admin_page import Note


def awaiting(connection: ERPConnection) -> QuerySet[ERPExport]:
    """From the index of those that wait for an acknowledgement."""
    return ERPExport.objects.filter(connection=connection, status=ExportStatus.SENT, answer_due_at__isnull=False)


def awaiting_or_begun(connection: ERPConnection) -> QuerySet[ERPExport]:
    """And those that are PENDING and may be at the ERP already: its acknowledgement comes to where they were put."""
    pending = ERPExport.objects.filter(connection=connection, status=ExportStatus.PENDING)
    begun = pending.exclude(**withdrawing.UNTOUCHED)
    return ERPExport.objects.filter(Q(pk__in=awaiting(connection).values("pk")) | Q(pk__in=begun.values("pk")))


def count(*, connection: ERPConnection, **_: Any) -> int:
    return awaiting_or_begun(connection).count()


def note(*, connection: ERPConnection, place: str, actor: str, **_: Any) -> None:
    """The first place stays that of an export, however often the connection is edited."""
    noted = ExportEvent.objects.filter(export=OuterRef("pk"), kind=EventKind.ACKS_LEFT)
    now = timezone.now()
    text = f"{actor} edited the connection. An acknowledgement in {place} is not read any more."[:500]
    keys = awaiting_or_begun(connection).filter(~Exists(noted)).values_list("pk", flat=True)
    history.note(Event(pk, EventKind.ACKS_LEFT.value, now, text, {"ack_place": place}, actor) for pk in keys)


def stranded(connection: ERPConnection) -> QuerySet[ERPExport]:
    """Those that wait for an acknowledgement in another place than the one that is read now."""
    left = ExportEvent.objects.filter(export=OuterRef("pk"), kind=EventKind.ACKS_LEFT)
    return awaiting(connection).filter(Exists(left.exclude(detail__ack_place=ack_places.place_of(connection) or "")))


def notes(connection: ERPConnection) -> Iterator[Note]:
    """On the connection's page."""
    rows = stranded(connection)
    found = rows.count()
    if found:
        wait = (
            "1 sent order waits for an acknowledgement"
            if found == 1
            else f"{found:,} sent orders wait for acknowledgements"
        )
        href = exports_url(connection__id__exact=connection.pk, status__exact=ExportStatus.SENT)
        yield Note(level="warning", text=f"{wait} in {_place(rows)}. {_WHAT_TO_DO}", href=href, link="See the exports")


def advice(exports: QuerySet[ERPExport]) -> str:
    """What to do about overdue `exports` of one connection whose acknowledgements nobody reads; empty where they are
    read."""
    first = exports.select_related("connection__organization").first()
    rows = stranded(first.connection).filter(pk__in=exports.values("pk")) if first else ERPExport.objects.none()
    if not rows.exists():
        return ""
    return f"The acknowledgement was expected in {_place(rows)}. {_WHAT_TO_DO} Do that before an order is sent again."


_WHAT_TO_DO = (
    "The connection was edited since, and reads elsewhere. Move the files from there to where it reads now, or enter "
    "the former place again until they are read."
)


def _place(rows: QuerySet[ERPExport]) -> str:
    left = ExportEvent.objects.filter(export__in=rows.order_by().values("pk"), kind=EventKind.ACKS_LEFT)
    places = list(left.order_by("detail__ack_place").values_list("detail__ack_place", flat=True).distinct()[:3])
    return " and ".join(str(place) for place in places)
