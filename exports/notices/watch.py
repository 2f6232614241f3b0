"""What is wrong with the connections just now, compared with the incidents that are open."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Min, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from connectors.health import PAUSES
from connectors.models import ERPConnection
from exports.causes import Cause
from exports.database_clock import from_now
from exports.models import ERPExport
from exports.notices.models import Incident
from exports.rollback import guard
from exports.transitions import ExportStatus

# Failures so far apart are no incident, and one is over when so long nothing has failed.
FAILING_WITHIN_S = 15 * 60

Kind = Incident.Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """`begins` is False for what is not enough to begin an incident, and enough for it to go on."""

    connection_id: UUID
    organization_id: UUID
    kind: str
    since: datetime
    begins: bool = True

    @property
    def subject(self) -> tuple[UUID, str]:
        return self.connection_id, self.kind


def compare() -> None:
    """Open an incident for what began, close those that are over. Two workers who do it at once do no harm."""
    found = {trouble.subject: trouble for trouble in _troubles()}
    subjects = Incident.objects.filter(closed_at=None).values_list("connection", "kind", "pk")
    known = {(connection_id, kind): pk for connection_id, kind, pk in subjects}
    _close([pk for subject, pk in known.items() if subject not in found])
    _open([trouble for subject, trouble in found.items() if subject not in known and trouble.begins])


def _close(incidents: Collection[int]) -> None:
    Incident.objects.filter(pk__in=incidents, closed_at=None).update(closed_at=timezone.now())


def _open(troubles: Collection[Trouble]) -> None:
    Incident.objects.bulk_create(
        (
            Incident(
                organization_id=trouble.organization_id,
                connection_id=trouble.connection_id,
                kind=trouble.kind,
                opened_at=trouble.since,
            )
            for trouble in troubles
        ),
        # Another worker may have opened it in between.
        ignore_conflicts=True,
    )


def _troubles() -> Iterator[Trouble]:
    yield from _unusable()
    yield from _failing()
    yield from _overdue()
    yield from _held()


def _unusable() -> Iterator[Trouble]:
    """A pause lasts until a session succeeds: when its time is over, the next try may begin another one."""
    rows = ERPConnection.objects.filter(status=ERPConnection.Status.ACTIVE)
    rows = rows.filter(Q(blocked_at__isnull=False) | Q(failures_in_a_row__gte=min(PAUSES)))
    for connection in rows.only("organization", "blocked_at", "failures_in_a_row"):
        if connection.blocked_at:
            yield _trouble(connection, Kind.BLOCKED, connection.blocked_at)
        if connection.failures_in_a_row >= min(PAUSES):
            yield _trouble(connection, Kind.PAUSED, timezone.now())


def _trouble(connection: ERPConnection, kind: Incident.Kind, since: datetime) -> Trouble:
    return Trouble(connection_id=connection.pk, organization_id=connection.organization_id, kind=kind, since=since)


def _failing() -> Iterator[Trouble]:
    lately = ERPExport.objects.filter(status=ExportStatus.FAILED, settled_at__gt=from_now(-FAILING_WITHIN_S))
    # Who gives up knows of it.
    by_connection = lately.exclude(cause=Cause.GIVEN_UP).order_by().values_list("connection", "organization")
    for connection_id, organization_id, count, since in by_connection.annotate(Count("pk"), Min("settled_at")):
        begins = count >= settings.FAILING_EXPORTS
        yield Trouble(
            connection_id=connection_id,
            organization_id=organization_id,
            kind=Kind.FAILING,
            since=since,
            begins=begins,
        )


def _overdue() -> Iterator[Trouble]:
    late = ERPExport.objects.filter(
        connection=OuterRef("pk"), status=ExportStatus.SENT, answer_due_at__lt=Now()
    ).order_by("answer_due_at")
    # As a value for each connection: one look into the index of those that await an answer.
    rows = ERPConnection.objects.annotate(since=Subquery(late.values("answer_due_at")[:1])).filter(since__isnull=False)
    for row in rows.order_by().values("organization_id", "since", connection_id=F("pk")):
        yield Trouble(kind=Kind.OVERDUE, **row)


def _held() -> Iterator[Trouble]:
    """It concerns every connection; one of each organization stands for them, so that nobody gets a mail for each."""
    held = guard.held()
    if held is None:
        return
    rows = ERPConnection.objects.filter(status=ERPConnection.Status.ACTIVE).order_by("organization", "is_default", "pk")
    for connection in {row.organization_id: row for row in rows.only("organization")}.values():
        yield _trouble(connection, Kind.HELD, held.held_since or timezone.now())
