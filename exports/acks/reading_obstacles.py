"""Whether the acknowledgements of a connection are being read. While they are not, an order without one says nothing
about the ERP: what keeps OrderFlow from reading has to be fixed before a person asks whether an order arrived, gives it
up or sends it again."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connectors.connections import ack_places
from connectors.models import ERPConnection
from connectors.text.sanitize import tame
from exports.acks.folder_counts import OF_A_FILE
from exports.models import ERPExport, EventKind, ExportEvent, Lane, installation
from exports.models.failure_cause import DOUBTFUL
from exports.models.status import ExportStatus
from orderflow.admin.formatting import is_paused, local_time

# Connections that one piece of advice names.
NAMED = 3
MOVE_THEM = (
    "The connection was edited since, and reads elsewhere. Move the files from there to where it reads now, or enter "
    "the former place again until they are read."
)
_MAY_BE_UNREAD = (
    Q(status=ExportStatus.SENT)
    | Q(status=ExportStatus.FAILED, cause__in=DOUBTFUL)
    | Q(status=ExportStatus.PENDING, undecided_since__isnull=False)
)


def obstacle(connection: ERPConnection) -> str:
    """Why they are not being read, in a sentence or two; empty while they are. A single file that could not be read or
    moved is no obstacle to the others."""
    lane = Lane.objects.filter(connection=connection.pk, kind=Lane.Kind.ACKS).first()
    return _hindered(connection, lane) or _not_polled(lane)


def advice(exports: QuerySet[ERPExport]) -> str:
    """What to do first about those of `exports` whose acknowledgements may be unread, because OrderFlow does not read
    them or reads elsewhere; empty where it reads them. The number of queries is bounded."""
    return " ".join(_advice(exports.order_by().filter(_MAY_BE_UNREAD)))


def _advice(exports: QuerySet[ERPExport]) -> Iterator[str]:
    connections = ERPConnection.objects.filter(pk__in=exports.values("connection")).select_related("organization")
    found = list(connections.order_by("name")[: NAMED + 1])
    for connection in found[:NAMED]:
        these = exports.filter(connection=connection)
        lane = Lane.objects.filter(connection=connection.pk, kind=Lane.Kind.ACKS).first()
        why = _hindered(connection, lane)
        if not why and (not_polled := _not_polled(lane)):
            why = not_polled if _due(these).exists() else ""
        if why and ack_places.place_of(connection) != "":
            which = "this connection" if len(found) == 1 else f"connection {tame(connection.name)!r}"
            yield (
                f"OrderFlow is not reading the acknowledgements of {which}, so the ERP may have answered. {why} "
                "Fix that first, and wait for the next poll: an order that is sent again may arrive twice."
            )
        if (rows := stranded(connection).filter(pk__in=these.values("pk"))).exists():
            expected = f"The acknowledgement was expected in {place_of(rows)}."
            yield f"{expected} {MOVE_THEM} Do that before an order is sent again."


def awaiting(connection: ERPConnection) -> QuerySet[ERPExport]:
    """From the index of those that wait for an acknowledgement."""
    return ERPExport.objects.filter(connection=connection, status=ExportStatus.SENT, answer_due_at__isnull=False)


def stranded(connection: ERPConnection) -> QuerySet[ERPExport]:
    """Those that wait for an acknowledgement in another place than the one that is read now."""
    left = ExportEvent.objects.filter(export=OuterRef("pk"), kind=EventKind.ACKS_LEFT)
    return awaiting(connection).filter(Exists(left.exclude(detail__ack_place=ack_places.place_of(connection) or "")))


def place_of(rows: QuerySet[ERPExport]) -> str:
    """Where the acknowledgements of `stranded` exports were expected."""
    left = ExportEvent.objects.filter(export__in=rows.order_by().values("pk"), kind=EventKind.ACKS_LEFT)
    places = list(left.order_by("detail__ack_place").values_list("detail__ack_place", flat=True).distinct()[:3])
    return " and ".join(str(place) for place in places)


def _hindered(connection: ERPConnection, lane: Lane | None) -> str:
    if held := installation.why_held():
        return held
    if connection.blocked_at:
        return f"The connection is blocked: {tame(connection.blocked_reason)}"
    if is_paused(connection.paused_until):
        return f"The connection is paused until {local_time(connection.paused_until)}, because its server failed."
    if lane and lane.last_error and lane.last_error != (lane.folder or {}).get(OF_A_FILE):
        return f"The last poll failed: {tame(lane.last_error)}"
    return ""


def _not_polled(lane: Lane | None) -> str:
    if lane and lane.last_run_at and lane.last_run_at >= timezone.now() - _longest():
        return ""
    last = f"since {local_time(lane.last_run_at)}" if lane and lane.last_run_at else "yet"
    return f"No worker has read its folder of acknowledgements {last}. Check that the workers run."


def _due(exports: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Those sent so long ago that a poll should have followed."""
    now = timezone.now()
    return exports.filter(Q(sent_at=None) | Q(sent_at__lte=now - _longest()) | Q(answer_due_at__lte=now))


def _longest() -> timedelta:
    """How long a connection that awaits acknowledgements is not polled at most while the workers run."""
    return timedelta(seconds=3 * settings.ACK_POLL_INTERVAL_S + settings.JOB_LIMIT_S)
