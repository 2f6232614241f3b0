"""Orders, attempts and a journal for tests of connectors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from connectors.exceptions import ConnectorError
from connectors.ports import ExportAttempt, Staged
from connectors.types.sales_order import Customer, OrderLine, SalesOrder, SourceDocument

MOMENT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
LINE = OrderLine(
    line_no=1, internal_sku="2", qty=Decimal("50.000"), uom="ST", unit_price=Decimal("15.2000"), currency="EUR"
)
ORDER = SalesOrder(
    org_id=UUID(int=1),
    org_slug="acme",
    draft_order_id=UUID(int=2),
    approved_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
    customer=Customer(id=UUID(int=3), erp_customer_number="TOMSP", name="Toms Spezialitäten"),
    external_order_number="PO-10258",
    order_date=date(1996, 7, 17),
    currency="EUR",
    requested_delivery_date=None,
    notes=None,
    lines=(LINE,),
    created_by="ops@acme.example",
    source_document=SourceDocument(document_id="d1", file_name="order.pdf", sha256="ab"),
)


class Notebook:
    """A journal that remembers, and can say no."""

    def __init__(self, refusal: ConnectorError | None = None) -> None:
        self.files: dict[UUID, Staged] = {}
        self.written: list[UUID] = []
        self.refusal = refusal

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        if self.refusal:
            raise self.refusal
        self.files |= files

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        for export_id in export_ids:
            self.files.pop(export_id, None)

    def unwitnessed(self, export_ids: Sequence[UUID]) -> None:
        if self.refusal:
            raise self.refusal
        self.written += export_ids


def attempt() -> ExportAttempt:
    return ExportAttempt(export_id=uuid4(), created_at=MOMENT)


def orders(count: int) -> list[tuple[SalesOrder, ExportAttempt]]:
    """Different orders, each with its first attempt."""
    return [(replace(ORDER, draft_order_id=uuid4()), attempt()) for _ in range(count)]
