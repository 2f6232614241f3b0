"""From the database's draft order to the connector's sales order."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from connectors.exceptions import RejectedError
from connectors.ports import ExportAttempt, Staged
from connectors.types.sales_order import Customer, OrderLine, SalesOrder, SourceDocument
from exports.models import ERPExport
from orderflow.orders.models import DraftOrder, DraftOrderLine

LINE = (
    "order_id", "line_no", "internal_sku", "qty", "uom", "unit_price", "currency", "customer_sku_raw", "description",
)  # fmt: skip


def batch_of(exports: QuerySet[ERPExport]) -> Sequence[ERPExport]:
    """The first of `exports`, with their orders: as many as a batch may have, and as many as keep to the number of
    lines that it may have; always one."""
    rows = exports.annotate(line_count=Coalesce(Subquery(_line_count()), 0))
    rows = rows.select_related("draft_order__customer", "draft_order__organization")
    batch = list(rows[: settings.DELIVERY_BATCH_SIZE])
    lines = accumulate(export.line_count for export in batch)
    fitting = sum(total <= settings.DELIVERY_BATCH_LINES for total in lines)
    return batch[: max(fitting, 1)]


def order_lines(exports: Iterable[ERPExport]) -> dict[UUID, list[OrderLine]]:
    """By order. Without Django's model instances, which take five times as long for an order of 10,000 lines."""
    currencies = {export.draft_order_id: export.draft_order.currency for export in exports}
    lines: dict[UUID, list[OrderLine]] = {order_id: [] for order_id in currencies}
    rows = DraftOrderLine.objects.filter(order__in=currencies).order_by("order_id", "line_no")
    for order_id, line_no, sku, qty, uom, price, currency, customer_sku, description in rows.values_list(*LINE):
        lines[order_id].append(
            OrderLine(
                line_no=line_no,
                internal_sku=sku,
                qty=qty,
                uom=uom,
                unit_price=price,
                currency=currency or currencies[order_id],
                customer_sku_raw=customer_sku or None,
                description=description or None,
            )
        )
    return lines


def sales_order(order: DraftOrder, lines: Iterable[OrderLine]) -> SalesOrder:
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
        lines=tuple(lines),
        created_by=order.created_by or None,
        source_document=_source(order),
    )


def attempt_of(export: ERPExport) -> ExportAttempt:
    staged = None
    if export.staged_path:
        staged = Staged(path=export.staged_path, sha256=export.document_sha256, size=export.document_size or 0)
    return ExportAttempt(export_id=export.pk, created_at=export.created_at, staged=staged)


def _line_count() -> "QuerySet[DraftOrderLine, Any]":
    lines = DraftOrderLine.objects.filter(order=OuterRef("draft_order")).order_by()
    return lines.values("order").annotate(count=Count("*")).values("count")


def _source(order: DraftOrder) -> SourceDocument | None:
    if not order.source_document_id:
        return None
    return SourceDocument(
        document_id=order.source_document_id, file_name=order.source_file_name, sha256=order.source_sha256
    )
