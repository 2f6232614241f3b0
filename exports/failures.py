"""What failed in the last 24 hours and waits for a person, in groups of one cause; and pushing a whole group again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from connectors.models import ERPConnection
from exports import bulk_push
from exports.bulk_push import BulkPush, Outcome
from exports.causes import DOUBTFUL, Cause
from exports.models import ERPExport
from exports.push_service import PushRefused
from exports.transitions import ExportStatus
from orderflow.orders.transitions import OrderStatus

LATELY = timedelta(hours=24)
# Its orders are locked for so long as the batch takes.
BATCH = 100


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
    """Those that had failed by then: what fails again afterwards is not retried for ever."""
    rows = ERPExport.objects.filter(
        connection_id=group.connection_id, cause=group.cause, error_code=group.error_code, settled_at__lte=until
    )
    return unmended(rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retried:
    """`refusals` say why the others were not."""

    count: int
    refusals: tuple[str, ...] = ()


def retry(group: FailureGroup, *, until: datetime, actor: str) -> Retried:
    """Each over its own connection again, with a new export."""
    connection = ERPConnection.objects.select_related("organization").get(pk=group.connection_id)
    bulk = BulkPush(organization=connection.organization, actor=actor, source=OrderStatus.ERROR, connection=connection)
    exports = members(group, until=until).order_by("created_at", "pk")
    ids = list(exports.values_list("pk", flat=True))
    # Read anew for each batch: of many, somebody may have taken some in hand before their turn comes.
    batches = (exports.filter(pk__any_of=ids[first : first + BATCH]) for first in range(0, len(ids), BATCH))
    outcomes = [outcome for batch in batches for outcome in _retry_batch(bulk, batch)]
    refusals = tuple(str(outcome.refusal) for outcome in outcomes if outcome.refusal)
    return Retried(count=len(outcomes) - len(refusals), refusals=refusals)


def _retry_batch(bulk: BulkPush, exports: QuerySet[ERPExport]) -> list[Outcome]:
    orders = list(exports.values_list("draft_order", flat=True))
    try:
        return bulk_push.push_each(bulk, orders) if orders else []
    except PushRefused as refusal:
        return [Outcome(order_id=order, status=OrderStatus.ERROR, refusal=refusal) for order in orders]
