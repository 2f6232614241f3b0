"""What the ERP saw and said beside what the product knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.orders.status import OrderStatus
from tests.bench.results import Bar, Table, exactly
from tests.trials.site import Site

TOLD_AT_MOST = 20
ORDER_STATUS = {ExportStatus.ACKED: OrderStatus.PUSHED, ExportStatus.FAILED: OrderStatus.ERROR}


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Orders that never came, orders that came more than once, exports that know another end than the ERP's, and files
    that stay at the dropzones: `temporaries` until the clean-up, `left` after it."""

    lost: Sequence[str]
    twice: Sequence[str]
    contradicted: Sequence[str]
    temporaries: int
    left: Sequence[str]

    def bars(self, what: str) -> list[Bar]:
        return [
            exactly(f"{what}: lost", 0, len(self.lost), "orders"),
            exactly(f"{what}: delivered twice", 0, len(self.twice), "orders"),
            exactly(f"{what}: another state than the ERP's answer", 0, len(self.contradicted), "exports"),
            exactly(f"{what}: left at the dropzones by the clean-up a day later", 0, len(self.left), "files"),
        ]

    def findings(self) -> list[Table]:
        """Nothing when all is well."""
        found = {
            "lost": self.lost,
            "delivered twice": self.twice,
            "another state": self.contradicted,
            "left by the clean-up": self.left,
        }
        lines = [(what, text) for what, texts in found.items() for text in texts]
        shown = lines[:TOLD_AT_MOST]
        return [Table(title=f"{len(shown)} of {len(lines)} findings", columns=("", ""), rows=shown)] if lines else []


def audit(site: Site) -> Audit:
    """Last of all: the exports seem a day older afterwards."""
    erp, contradicted = site.erp, list(_contradicted(site))
    now, left = site.leftovers()
    return Audit(
        lost=[str(order) for order in site.pushed if str(order) not in erp.orders],
        twice=[f"{order}: {count} times" for order, count in erp.orders.items() if count > 1],
        contradicted=contradicted,
        temporaries=len(now),
        left=[file.name for file in left],
    )


def _contradicted(site: Site) -> Iterator[str]:
    rows = ERPExport.objects.values_list("filename", "status", "erp_order_id", "draft_order__status", "error_message")
    for name, status, number, order_status, error in rows.order_by("filename"):
        said = site.erp.said.get(name)
        if said is None:
            yield f"{name} is {status} and has no answer: {error}"
        elif (status, number) != (said.status, said.number):
            yield f"{name} is {status} {number}, and the ERP said {said.status} {said.number}"
        elif order_status != ORDER_STATUS[ExportStatus(status)]:
            yield f"{name} is {status}, and its order {order_status}"
