"""What failed in the last 24 hours and waits for a person, in groups of one cause."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from exports.causes import DOUBTFUL, Cause
from exports.models import ERPExport
from exports.transitions import ExportStatus
from orderflow.orders.transitions import OrderStatus

LATELY = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureGroup:
    """What failed over one connection for one cause; `error_code` is the ERP's, or empty."""

    connection_id: UUID
    cause: str
    error_code: str

    @property
    def title(self) -> str:
        label = Cause(self.cause).label if self.cause else "Failed before causes were kept"
        return f"{label}: {self.error_code}" if self.error_code else label

    @property
    def is_doubtful(self) -> bool:
        """The ERP may have the orders."""
        return self.cause in DOUBTFUL


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """`example` is one of their messages."""

    group: FailureGroup
    connection: str
    count: int
    example: str


def unmended(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Those of `rows` that can be retried as they are: not pushed again, and their orders not taken in hand."""
    return rows.filter(
        status=ExportStatus.FAILED,
        settled_at__gt=timezone.now() - LATELY,
        superseded_by=None,
        draft_order__status=OrderStatus.ERROR,
    )


def grouped(rows: QuerySet[ERPExport], limit: int) -> list[Failures]:
    """The largest first."""
    keys = ("connection_id", "cause", "error_code")
    found = unmended(rows).order_by().values(*keys, "connection__name")
    counted = found.annotate(count=Count("pk"), example=Max("error_message")).order_by("-count", *keys)
    return [
        Failures(
            group=FailureGroup(**{key: row[key] for key in keys}),
            connection=row["connection__name"],
            count=row["count"],
            example=row["example"],
        )
        for row in counted[:limit]
    ]


def members(group: FailureGroup, *, until: datetime) -> QuerySet[ERPExport]:
    """Those that had failed by then."""
    rows = ERPExport.objects.filter(connection_id=group.connection_id, cause=group.cause, error_code=group.error_code)
    return unmended(rows).filter(settled_at__lte=until)
