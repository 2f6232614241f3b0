"""What is open, however old it is: counted from partial indexes, and as far as a person needs to know."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import QuerySet

from exports.acks import unresolved as unresolved_acks
from exports.acks.unresolved import UNREADABLE
from exports.decisions import failure_groups
from exports.decisions.failure_groups import Failures
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport, Verdict
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.scope import User, scoped

UNDECIDED_COUNTED = 100
ACKS_COUNTED = 1_000
INCIDENTS_COUNTED = 100
GROUPS_SHOWN = 10

UNREADABLE_ACKS = "unreadable"
OF_VERDICT = dict.fromkeys(UNREADABLE, UNREADABLE_ACKS) | {
    Verdict.CONFLICT: "conflicting",
    Verdict.LATE: "late",
    Verdict.ORPHAN: "orphaned",
}
# The dashboard counts what these are about by itself, as it is now.
COUNTED_BESIDE = (Incident.Kind.ACKS, Incident.Kind.IN_DOUBT, Incident.Kind.HELD, Incident.Kind.STOPPED)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenWork:
    """`in_error` counts orders, `acks` files by adjective, both up to their bounds."""

    in_error: int
    failures: tuple[Failures, ...]
    undecided: int
    acks: dict[str, int]
    incidents: tuple[Incident, ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.in_error or self.failures or self.undecided or self.acks or self.incidents)


def of(user: User) -> OpenWork:
    exports = scoped(ERPExport.objects.all(), user)
    orders = scoped(DraftOrder.objects.all(), user)
    incidents = scoped(Incident.objects.filter(closed_at=None), user).select_related("connection", "organization")
    incidents = incidents.defer("connection__config_encrypted")
    return OpenWork(
        in_error=failure_groups.in_error(orders).count(),
        failures=tuple(failure_groups.grouped(exports, orders, GROUPS_SHOWN)),
        undecided=_undecided(exports),
        acks=_acks(scoped(AckFile.objects.all(), user)),
        incidents=tuple(incidents.exclude(kind__in=COUNTED_BESIDE)[:INCIDENTS_COUNTED]),
    )


def _undecided(exports: QuerySet[ERPExport]) -> int:
    rows = exports.filter(undecided_since__isnull=False).order_by()
    return len(rows.values_list("pk")[:UNDECIDED_COUNTED])


def _acks(rows: QuerySet[AckFile]) -> dict[str, int]:
    verdicts = unresolved_acks.open_ones(rows).order_by().values_list("verdict", flat=True)[:ACKS_COUNTED]
    return dict(Counter(OF_VERDICT[verdict] for verdict in verdicts).most_common())
