"""An approved order as connectors see it: values, detached from the database."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    id: UUID
    erp_customer_number: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """`qty` to 3 decimal places, `unit_price` to 4, in `currency` (ISO 4217)."""

    line_no: int
    internal_sku: str
    qty: Decimal
    uom: str
    unit_price: Decimal
    currency: str
    customer_sku_raw: str | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceDocument:
    document_id: str
    file_name: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SalesOrder:
    """An approved order, detached from the database."""

    org_id: UUID
    org_slug: str
    draft_order_id: UUID
    approved_at: datetime
    customer: Customer
    external_order_number: str | None
    order_date: date | None
    currency: str
    requested_delivery_date: date | None
    notes: str | None
    lines: tuple[OrderLine, ...]
    created_by: str | None = None
    source_document: SourceDocument | None = None
