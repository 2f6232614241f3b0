"""Failed exports whose orders are still in ERROR, however old they are, in groups of one cause."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from exports.decisions import resend_warnings
from exports.models import ERPExport
from exports.models.failure_cause import DOUBTFUL, Cause
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus

# No more orders in ERROR are counted or grouped.
COUNTED = 10_000


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

    @property
    def advice(self) -> str:
        """What to do first about files of the ERP that nobody has read or decided about and that may be about these
        orders; else empty. Looks into the database."""
        return resend_warnings.advice(members(self, until=timezone.now()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """`example` is one of their messages."""

    group: FailureGroup
    connection: str
    count: int
    example: str


def unmended(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Those of `rows` that are the last export of an order in ERROR: nobody has pushed, edited or rejected it since."""
    return rows.filter(status=ExportStatus.FAILED, superseded_by=None, draft_order__status=OrderStatus.ERROR)


def alerting(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Those of `unmended` that raise an alert: the person who gave one up or withdrew it knows."""
    return unmended(rows).exclude(cause__in=[Cause.GIVEN_UP, Cause.WITHDRAWN])


def in_error(orders: QuerySet[DraftOrder]) -> QuerySet[DraftOrder]:
    """From the index of what is not pushed, `COUNTED` at most."""
    return orders.filter(status=OrderStatus.ERROR).order_by()[:COUNTED]


def grouped(rows: QuerySet[ERPExport], orders: QuerySet[DraftOrder], limit: int) -> list[Failures]:
    """Of the orders in ERROR among `orders`; the largest group first."""
    keys = ("connection_id", "cause", "error_code")
    last = unmended(rows).filter(draft_order__in=in_error(orders).values("pk"))
    found = last.order_by().values(*keys, "connection__name")
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
