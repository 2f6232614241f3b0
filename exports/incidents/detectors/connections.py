"""What is wrong with connections and their orders now, whatever incidents are open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from connectors.connections.health import PAUSES
from connectors.models import ConnectionEvent, ERPConnection
from exports.acks import unresolved as unresolved_acks
from exports.decisions import failure_groups
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport, Lane, installation
from exports.models.status import ExportStatus

# A poll that fails once and works the next time is no incident.
POLLING_FAILS_FOR = timedelta(minutes=10)

Kind = Incident.Kind
ACTIVE = ERPConnection.Status.ACTIVE


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """`begins` is False for what is not enough to begin an incident, and enough for it to go on. `subject`, `label`,
    `reason` and `details` are those of the incident."""

    organization_id: UUID
    kind: str
    since: datetime
    connection_id: UUID | None = None
    subject: str = ""
    label: str = ""
    reason: str = ""
    details: str = ""
    begins: bool = True

    @property
    def key(self) -> tuple[UUID, str, str]:
        return self.organization_id, self.kind, self.subject


def organizations() -> set[UUID]:
    """Those that an incident of the whole installation concerns."""
    return set(_in_use(ERPConnection.objects.all()).order_by().values_list("organization", flat=True))


def _in_use(rows: QuerySet[ERPConnection]) -> QuerySet[ERPConnection]:
    """Those of `rows` that orders may leave over, or that acknowledgements are awaited over: they are still read where
    the connection is disabled."""
    return rows.annotate(awaited=_awaited("pk")).filter(Q(status=ACTIVE) | Q(awaited__isnull=False))


def _awaited(connection: str) -> Subquery:
    """An export that awaits an acknowledgement, of the row's connection, which the column `connection` names."""
    rows = ERPExport.objects.filter(
        connection=OuterRef(connection), status=ExportStatus.SENT, answer_due_at__isnull=False
    )
    return Subquery(rows.order_by().values("pk")[:1])


def _of_connection(connection_id: UUID, organization_id: UUID, kind: str, since: datetime, **more: Any) -> Trouble:
    return Trouble(
        organization_id=organization_id,
        kind=kind,
        since=since,
        connection_id=connection_id,
        subject=str(connection_id),
        **more,
    )


def unusable() -> Iterator[Trouble]:
    """A pause lasts until a session succeeds: when its time is over, the next attempt may begin another one."""
    rows = ERPConnection.objects.filter(Q(blocked_at__isnull=False) | Q(failures_in_a_row__gte=min(PAUSES)))
    rows = _in_use(rows)
    paused = ConnectionEvent.objects.filter(connection=OuterRef("pk"), kind=ConnectionEvent.Kind.PAUSED).order_by("-pk")
    rows = rows.annotate(why_paused=Subquery(paused.values("message")[:1]))
    for row in rows.only("organization", "blocked_at", "blocked_reason", "failures_in_a_row"):
        ids = row.pk, row.organization_id
        if row.blocked_at:
            yield _of_connection(*ids, Kind.BLOCKED, row.blocked_at, reason=row.blocked_reason)
        if row.failures_in_a_row >= min(PAUSES):
            yield _of_connection(*ids, Kind.PAUSED, timezone.now(), reason=row.why_paused or "")


def polling() -> Iterator[Trouble]:
    """A connection that is blocked, paused or disabled begins none. Its open one lasts until a poll succeeds, or until
    it is disabled and awaits no acknowledgement: it is not polled any more then."""
    failed = ConnectionEvent.objects.filter(
        connection=OuterRef("connection"), kind=ConnectionEvent.Kind.POLL_FAILED
    ).order_by("-pk")
    lanes = Lane.objects.filter(kind=Lane.Kind.ACKS).exclude(last_error="")
    lanes = lanes.annotate(since=Subquery(failed.values("at")[:1]), awaited=_awaited("connection"))
    lanes = lanes.filter(Q(connection__status=ACTIVE) | Q(awaited__isnull=False), since__isnull=False)
    for lane in lanes.select_related("connection").defer("connection__config_encrypted"):
        since, row = lane.since, lane.connection
        is_usable = row.status == ACTIVE and not row.blocked_at and row.failures_in_a_row < min(PAUSES)
        begins = timezone.now() - since > POLLING_FAILS_FOR and is_usable
        ids = row.pk, row.organization_id
        yield _of_connection(*ids, Kind.POLLING, since, reason=lane.last_error, begins=begins)


def failing() -> Iterator[Trouble]:
    """Over as soon as no order is left in ERROR, and not before."""
    rows = failure_groups.alerting(ERPExport.objects.all()).order_by().values_list("connection", "organization")
    for connection_id, organization_id, count, since in rows.annotate(Count("pk"), Min("settled_at")):
        begins = count >= settings.FAILING_EXPORTS
        yield _of_connection(connection_id, organization_id, Kind.FAILING, since, begins=begins)


def in_doubt() -> Iterator[Trouble]:
    rows = ERPExport.objects.filter(undecided_since__isnull=False)
    return _by_connection(Kind.IN_DOUBT, rows, "undecided_since")


def acks() -> Iterator[Trouble]:
    return _by_connection(Kind.ACKS, unresolved_acks.open_ones(AckFile.objects.all()), "seen_at")


def _by_connection(kind: Kind, rows: QuerySet[Any], since: str) -> Iterator[Trouble]:
    found = rows.order_by().values_list("connection", "organization").annotate(Min(since))
    for connection_id, organization_id, first in found:
        yield _of_connection(connection_id, organization_id, kind, first)


def overdue() -> Iterator[Trouble]:
    late = ERPExport.objects.filter(
        connection=OuterRef("pk"), status=ExportStatus.SENT, answer_due_at__lt=Now()
    ).order_by("answer_due_at")
    # As a value for each connection: one look into the index of those that await an ack.
    rows = ERPConnection.objects.annotate(since=Subquery(late.values("answer_due_at")[:1])).filter(since__isnull=False)
    for row in rows.order_by().values("organization_id", "since", connection_id=F("pk")):
        yield _of_connection(row["connection_id"], row["organization_id"], Kind.OVERDUE, row["since"])


def held() -> Iterator[Trouble]:
    row = installation.held()
    if row is None:
        return
    since = row.held_since or timezone.now()
    for organization_id in organizations():
        yield Trouble(organization_id=organization_id, kind=Kind.HELD, since=since, reason=row.held_because[:500])
