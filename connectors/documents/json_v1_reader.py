"""From the bytes of an `orderflow_export_json_v1` document back to the sales order."""

from uuid import UUID

import msgspec

from connectors.documents.json_v1 import Document
from connectors.exceptions import RejectedError
from connectors.types.sales_order import Customer, OrderLine, SalesOrder, SourceDocument

_decoder = msgspec.json.Decoder(Document)


def read(content: bytes, *, org_id: UUID) -> SalesOrder:
    """What `json_v1.render` was given. Raises `RejectedError`."""
    try:
        document = _decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise RejectedError(f"It is not an orderflow_export_json_v1 document: {error}.") from error
    header, customer = document.header, document.customer
    return SalesOrder(
        org_id=org_id,
        org_slug=document.org_slug,
        draft_order_id=document.draft_order_id,
        approved_at=document.approved_at,
        customer=Customer(id=customer.ident, erp_customer_number=customer.erp_customer_number, name=customer.name),
        external_order_number=header.external_order_number,
        order_date=header.order_date,
        currency=header.currency,
        requested_delivery_date=header.requested_delivery_date,
        notes=header.notes,
        lines=_lines(document),
        created_by=document.meta.created_by,
        source_document=_source(document),
    )


def _lines(document: Document) -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(
            line_no=line.line_no,
            internal_sku=line.internal_sku,
            qty=line.qty,
            uom=line.uom,
            unit_price=line.unit_price,
            currency=line.currency,
            customer_sku_raw=line.customer_sku_raw,
            description=line.description,
        )
        for line in document.lines
    )


def _source(document: Document) -> SourceDocument | None:
    source = document.meta.source_document
    if source is None:
        return None
    return SourceDocument(document_id=source.document_id, file_name=source.file_name, sha256=source.sha256)
