"""From the database's draft order to the connector's sales order."""

from django.db.models import QuerySet

from connectors.exceptions import RejectedError
from connectors.ports import ExportAttempt, Staged
from connectors.sales_order import Customer, OrderLine, SalesOrder, SourceDocument
from exports.models import ERPExport
from orderflow.orders.models import DraftOrder, DraftOrderLine


def with_orders(exports: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Everything that a document needs, in a constant number of queries."""
    return exports.select_related("draft_order__customer", "draft_order__organization").prefetch_related(
        "draft_order__lines"
    )


def sales_order(order: DraftOrder) -> SalesOrder:
    """Raises `RejectedError` for an order that was never approved."""
    if order.customer is None or order.approved_at is None:
        raise RejectedError(f"Order {order} has no customer or no approval. Approve it and push it again.")
    return SalesOrder(
        org_id=order.organization_id,
        org_slug=order.organization.slug,
        draft_order_id=order.pk,
        approved_at=order.approved_at.replace(microsecond=0),
        customer=Customer(
            id=order.customer.pk,
            erp_customer_number=order.customer.erp_customer_number,
            name=order.customer.name,
        ),
        external_order_number=order.external_order_number or None,
        order_date=order.order_date,
        currency=order.currency,
        requested_delivery_date=order.requested_delivery_date,
        notes=order.notes or None,
        lines=tuple(_line(line, order.currency) for line in order.lines.all()),
        created_by=order.created_by or None,
        source_document=_source(order),
    )


def attempt_of(export: ERPExport) -> ExportAttempt:
    staged = None
    if export.staged_path:
        staged = Staged(path=export.staged_path, sha256=export.document_sha256, size=export.document_size or 0)
    return ExportAttempt(export_id=export.pk, created_at=export.created_at, staged=staged)


def _line(line: DraftOrderLine, currency: str) -> OrderLine:
    return OrderLine(
        line_no=line.line_no,
        internal_sku=line.internal_sku,
        qty=line.qty,
        uom=line.uom,
        unit_price=line.unit_price,
        currency=line.currency or currency,
        customer_sku_raw=line.customer_sku_raw or None,
        description=line.description or None,
    )


def _source(order: DraftOrder) -> SourceDocument | None:
    if not order.source_document_id:
        return None
    return SourceDocument(
        document_id=order.source_document_id, file_name=order.source_file_name, sha256=order.source_sha256
    )
