"""What the dashboard shows, as frozen values.

Every query is bounded: to the last 24 hours, to the newest so many, or by a partial index of what is under way or
open. What is open is counted however old it is.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import connections
from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, TruncHour
from django.utils import timezone

from connectors.models import ERPConnection
from exports.dashboard import open_work
from exports.dashboard.open_work import OpenWork
from exports.dashboard.percentiles import Spread, spread
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.tenancy.scope import User, scoped

HOURS = 24
# No hour is counted further.
COUNTED = 50_000
# Of so many, the newest, the times are taken.
TIMED = 1_000

# By that clock, hours are neither left out nor twice there.
_HOUR = TruncHour("created_at", tzinfo=UTC)
NOT_ACKED = (ExportStatus.PENDING, ExportStatus.SENT, ExportStatus.FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """How many were pushed in the hour that begins then, by the state that they are in now."""

    begins: datetime
    counts: dict[ExportStatus, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A connection with what is under way over it."""

    connection: ERPConnection
    pending: int
    oldest_pending: datetime | None
    overdue: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """`to_sent` and `to_acked` are counted from the push. `is_new`: nothing was ever pushed."""

    at: datetime
    is_new: bool
    hours: tuple[Hour, ...]
    to_sent: Spread | None
    to_acked: Spread | None
    ways: tuple[Way, ...]
    open_work: OpenWork

    @property
    def is_cut(self) -> bool:
        return any(sum(hour.counts.values()) >= COUNTED for hour in self.hours)

    def total(self, status: ExportStatus) -> int:
        return sum(hour.counts[status] for hour in self.hours)

    @property
    def overdue(self) -> int:
        return sum(way.overdue for way in self.ways)

    @property
    def oldest_pending(self) -> Way | None:
        waiting = [way for way in self.ways if way.oldest_pending]
        return min(waiting, key=lambda way: way.oldest_pending or way.connection.created_at, default=None)


def of(user: User) -> Figures:
    """What `user`, who may read, sees."""
    now = timezone.now()
    exports = scoped(ERPExport.objects.all(), user)
    recent = exports.filter(created_at__gt=now - timedelta(hours=HOURS))
    return Figures(
        at=now,
        is_new=not exports.exists(),
        hours=_hours(exports, now),
        to_sent=_time(recent, "sent_at"),
        to_acked=_time(recent.filter(status=ExportStatus.ACKED), "settled_at"),
        ways=_ways(scoped(ERPConnection.objects.all(), user), now),
        open_work=open_work.of(user),
    )


def _hours(exports: QuerySet[ERPExport], now: datetime) -> tuple[Hour, ...]:
    """Most are ACKED in the end: they are what is left of all, which an index alone can count, hour by hour."""
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    begins = [last - timedelta(hours=hours) for hours in reversed(range(HOURS))]
    totals = _totals(exports, [*begins, last + timedelta(hours=1)])
    others = exports.filter(status__in=NOT_ACKED, created_at__gte=begins[0]).annotate(hour=_HOUR)
    counted = others.order_by().values_list("hour", "status").annotate(count=Count("*"))
    by_state = {(hour, status): count for hour, status, count in counted}
    return tuple(_hour(begin, totals[begin], by_state) for begin in begins)


def _hour(begins: datetime, total: int, by_state: dict[tuple[datetime, str], int]) -> Hour:
    counts = {status: by_state.get((begins, status), 0) for status in NOT_ACKED}
    # One that was pushed between the two queries is in the second only.
    acked = max(total - sum(counts.values()), 0)
    return Hour(begins=begins, counts={**counts, ExportStatus.ACKED: acked})


def _totals(exports: QuerySet[ERPExport], bounds: list[datetime]) -> Counter[datetime]:
    """By the hour's begin, each as far as `COUNTED`: in one query that an index alone answers."""
    counts, parameters = list[str](), list[Any]()
    for number, (begin, end) in enumerate(pairwise(bounds)):
        hour = exports.filter(created_at__gte=begin, created_at__lt=end).order_by()
        statement, own = hour.values_list(Value(1, IntegerField()))[:COUNTED].query.sql_with_params()
        counts.append(f"SELECT {number}, COUNT(*) FROM ({statement}) AS of_hour")  # noqa: S608 - the ORM's own statement
        parameters += own
    with connections[exports.db].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(counts), parameters)
        return Counter({bounds[number]: count for number, count in cursor.fetchall()})


def _time(rows: QuerySet[ERPExport], until: str) -> Spread | None:
    took = ExpressionWrapper(F(until) - F("created_at"), output_field=DurationField())
    newest = rows.filter(**{f"{until}__isnull": False}).order_by("-created_at")[:TIMED]
    return spread(newest.annotate(took=took), "took")


def _ways(connections: QuerySet[ERPConnection], now: datetime) -> tuple[Way, ...]:
    """Each figure from a partial index that begins with the connection."""
    of_connection = ERPExport.objects.filter(connection=OuterRef("pk")).order_by()
    pending = of_connection.filter(status=ExportStatus.PENDING)
    overdue = of_connection.filter(status=ExportStatus.SENT, answer_due_at__lt=now)
    rows = (
        connections.select_related("organization")
        .defer("config_encrypted")
        .annotate(
            pending=_count(pending),
            oldest_pending=Subquery(pending.order_by("created_at").values("created_at")[:1]),
            overdue=_count(overdue),
        )
    )
    return tuple(
        Way(connection=row, pending=row.pending, oldest_pending=row.oldest_pending, overdue=row.overdue) for row in rows
    )


def _count(rows: QuerySet[ERPExport]) -> Coalesce:
    return Coalesce(Subquery(rows.values("connection").annotate(count=Count("*")).values("count")), 0)
