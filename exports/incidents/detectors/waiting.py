"""Orders that wait to be sent and that no other incident covers: their connection is disabled, or they have waited for
longer than a delivery takes.

The incident of a connection that is blocked or paused lists its orders, and while deliveries are held or the workers
stand still, there is an incident as well. These two kinds cover the rest, so that no order waits unreported.
"""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from connectors.connections.health import PAUSES
from connectors.models import ERPConnection
from exports.incidents.detectors import components
from exports.incidents.detectors.connections import Trouble
from exports.incidents.models import Incident
from exports.models import ERPExport, installation
from exports.models.status import ExportStatus

# Several attempts of an order that fails alone fit into it, and the backlog of a bulk push.
LONG = timedelta(hours=1)
# How long what has waited for the end of another incident may take to leave.
CATCHES_UP = timedelta(minutes=15)
# An order with so many failed attempts has an incident of its own, `retrying`.
FAILED_ATTEMPTS = 3

Kind = Incident.Kind
DISABLED = ERPConnection.Status.DISABLED
# While one of these is open, or was until a moment ago, it explains why orders wait.
EXPLAINED_BY = (Kind.BLOCKED, Kind.PAUSED, Kind.DISABLED, Kind.HELD, Kind.STOPPED)


def unsent(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Those of `rows` that are to be sent. What is in doubt waits for a person, and has an incident of its own."""
    return rows.filter(status=ExportStatus.PENDING, undecided_since=None)


def for_long(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    return unsent(rows).filter(created_at__lt=timezone.now() - LONG, tries__lt=FAILED_ATTEMPTS)


def failing(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    return unsent(rows).filter(tries__gte=FAILED_ATTEMPTS)


def troubles() -> Iterator[Trouble]:
    ours = ERPExport.objects.filter(connection=OuterRef("pk")).order_by("created_at")
    # As values for each connection: one look each into the index of what is pending.
    first, late = (Subquery(rows.values("created_at")[:1]) for rows in (unsent(ours), for_long(ours)))
    rows = ERPConnection.objects.annotate(first=first, late=late).filter(first__isnull=False)
    found = list(rows.order_by().only("organization", "status", "updated_at", "blocked_at", "failures_in_a_row"))
    for row in found:
        if row.status == DISABLED:
            yield _trouble(row, Kind.DISABLED, max(row.first, row.updated_at), reason="The connection is disabled.")
    yield from _delayed([row for row in found if row.late])


def _delayed(rows: Collection[Any]) -> Iterator[Trouble]:
    """Of connections with orders that have waited for `LONG`. It goes on until they have left, and begins only if
    nothing else explains it."""
    known = explained({row.organization_id for row in rows})
    is_watched = bool(rows) and components.watched_for_long() and not installation.held()
    for row in rows:
        yield _trouble(row, Kind.WAITING, row.late, begins=is_watched and is_usable(row, known))


def is_usable(row: Any, known: Collection[tuple[UUID, Any]]) -> bool:
    """Whether the connection may be used, and no incident of `known`, as of `explained`, says why orders wait."""
    usable = row.status != DISABLED and not row.blocked_at and row.failures_in_a_row < min(PAUSES)
    ours = {(row.organization_id, None), (row.organization_id, row.pk)}
    return usable and ours.isdisjoint(known)


def explained(organizations: Collection[UUID]) -> set[tuple[UUID, Any]]:
    """Each with its connection, or None for an incident that concerns all of the organization's."""
    if not organizations:
        return set()
    lately = Q(closed_at=None) | Q(closed_at__gt=timezone.now() - CATCHES_UP)
    rows = Incident.objects.filter(lately, kind__in=EXPLAINED_BY, organization__in=organizations).order_by()
    return set(rows.values_list("organization", "connection"))


def _trouble(row: Any, kind: str, since: Any, *, reason: str = "", begins: bool = True) -> Trouble:
    return Trouble(
        organization_id=row.organization_id,
        kind=kind,
        since=since,
        connection_id=row.pk,
        subject=str(row.pk),
        reason=reason,
        begins=begins,
    )
