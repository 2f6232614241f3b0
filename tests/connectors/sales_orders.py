"""A sales order to export, as a value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from connectors.sales_order import Customer, OrderLine, SalesOrder, SourceDocument

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
