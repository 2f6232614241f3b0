"""`orderflow_export_json_v1`: a sales order as UTF-8 JSON. The types below are the schema."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from connectors.exceptions import RejectedError
from connectors.types.sales_order import Customer, OrderLine, SalesOrder

EXPORT_VERSION: Final = "orderflow_export_json_v1"
QTY_PLACES = 3
PRICE_PLACES = 4

Text = Annotated[str, Meta(min_length=1)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Moment = Annotated[datetime, Meta(tz=True)]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class CustomerPart(_Part, frozen=True, kw_only=True, rename={"ident": "id"}):
    ident: UUID
    erp_customer_number: Text
    name: Text


class HeaderPart(_Part, frozen=True, kw_only=True):
    external_order_number: str | None
    order_date: date | None
    currency: Currency
    requested_delivery_date: date | None
    notes: str | None


class LinePart(_Part, frozen=True, kw_only=True):
    line_no: Annotated[int, Meta(ge=1)]
    internal_sku: Text
    qty: Decimal
    uom: Text
    unit_price: Decimal
    currency: Currency
    customer_sku_raw: str | None
    description: str | None


class SourceDocumentPart(_Part, frozen=True, kw_only=True):
    document_id: str
    file_name: str
    sha256: str


class MetaPart(_Part, frozen=True, kw_only=True):
    created_by: str | None
    source_document: SourceDocumentPart | None


class Document(_Part, frozen=True, kw_only=True):
    export_version: Literal["orderflow_export_json_v1"]
    org_slug: Text
    draft_order_id: UUID
    approved_at: Moment
    customer: CustomerPart
    header: HeaderPart
    lines: Annotated[list[LinePart], Meta(min_length=1)]
    meta: MetaPart


_encoder = msgspec.json.Encoder(decimal_format="number")
_checker = msgspec.json.Decoder(Document)


def render(order: SalesOrder) -> bytes:
    """UTF-8 without BOM, indent 2, LF at the end; checked against the schema. Raises `RejectedError`."""
    try:
        content = msgspec.json.format(_encoder.encode(_document(order)), indent=2) + b"\n"
        _checker.decode(content)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise RejectedError(
            f"Order {order.draft_order_id} does not fit {EXPORT_VERSION}: {error}. Correct the order and push again."
        ) from error
    return content


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the document."""
    body = msgspec.json.schema(Document)
    for part in _objects(body):
        # msgspec describes a Decimal as text; here it is written as a number.
        if part.get("format") == "decimal":
            part.clear()
            part["type"] = "number"
    body["$defs"]["LinePart"]["properties"]["qty"]["exclusiveMinimum"] = 0
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": EXPORT_VERSION, **body}


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(child)


def _document(order: SalesOrder) -> Document:
    return Document(
        export_version=EXPORT_VERSION,
        org_slug=order.org_slug,
        draft_order_id=order.draft_order_id,
        approved_at=order.approved_at.astimezone(UTC),
        customer=_customer(order.customer),
        header=HeaderPart(
            external_order_number=order.external_order_number,
            order_date=order.order_date,
            currency=order.currency,
            requested_delivery_date=order.requested_delivery_date,
            notes=order.notes,
        ),
        lines=[_line(line) for line in order.lines],
        meta=_meta(order),
    )


def _customer(customer: Customer) -> CustomerPart:
    return CustomerPart(ident=customer.id, erp_customer_number=customer.erp_customer_number, name=customer.name)


def _line(line: OrderLine) -> LinePart:
    if line.qty <= 0:
        raise RejectedError(f"Line {line.line_no} has quantity {line.qty}; it must be above 0.")
    return LinePart(
        line_no=line.line_no,
        internal_sku=line.internal_sku,
        qty=_plain(line.qty, QTY_PLACES, f"The quantity of line {line.line_no}"),
        uom=line.uom,
        unit_price=_plain(line.unit_price, PRICE_PLACES, f"The price of line {line.line_no}"),
        currency=line.currency,
        customer_sku_raw=line.customer_sku_raw,
        description=line.description,
    )


def _meta(order: SalesOrder) -> MetaPart:
    source = None
    if order.source_document:
        source = SourceDocumentPart(
            document_id=order.source_document.document_id,
            file_name=order.source_document.file_name,
            sha256=order.source_document.sha256,
        )
    return MetaPart(created_by=order.created_by, source_document=source)


def _plain(value: Decimal, places: int, what: str) -> Decimal:
    """The same value without exponent and padding zeros: 1E+2 is 100, 9.80 is 9.8, -0 is 0."""
    if not value.is_finite() or value != round(value, places):
        raise RejectedError(f"{what} is {value}; it may have {places} decimal places.")
    return Decimal(f"{value.normalize():f}") if value else Decimal(0)
