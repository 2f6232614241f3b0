"""Parsed orders -> rows, a batch in one transaction and a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orderflow.orders.importing.values import ParsedLine, ParsedOrder, ParsedSource
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.ready_check import blocking_reasons
from orderflow.orders.transitions import OrderStatus
from orderflow.tenancy.models import Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """`ready` are those of the imported that nothing keeps from being approved."""

    imported: int = 0
    ready: int = 0
    already_there: int = 0

    def __add__(self, other: "Written") -> "Written":
        return Written(
            imported=self.imported + other.imported,
            ready=self.ready + other.ready,
            already_there=self.already_there + other.already_there,
        )


@transaction.atomic
def write_batch(orders: Sequence[ParsedOrder], organization: Organization, actor: str) -> Written:
    """No two of `orders` may have the same identity. What is there already stays as it is."""
    # In one order everywhere, so that two imports at once wait for each other instead of locking each other out.
    orders = sorted(orders, key=lambda order: (order.external_order_number, order.customer.erp_customer_number))
    customers = _customers(orders, organization)
    rows = [_order(order, customers[order.customer.erp_customer_number], actor) for order in orders]
    # Another import may get there first: the database says which rows are new, not a look before.
    DraftOrder.objects.bulk_create(rows, ignore_conflicts=True)
    new = set(DraftOrder.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    DraftOrderLine.objects.bulk_create(
        _line(row, number, line)
        for row, order in zip(rows, orders, strict=True)
        if row.pk in new
        for number, line in order.numbered_lines
    )
    return Written(imported=len(new), ready=_mark_ready(new), already_there=len(orders) - len(new))


def _customers(orders: Iterable[ParsedOrder], organization: Organization) -> Mapping[str, Customer]:
    """By ERP number; the unknown are made, the known keep their name."""
    names = {order.customer.erp_customer_number: order.customer.name for order in orders}
    Customer.objects.bulk_create(
        [
            Customer(organization=organization, erp_customer_number=number, name=names[number])
            for number in sorted(names)
        ],
        ignore_conflicts=True,
    )
    known = Customer.objects.filter(organization=organization, erp_customer_number__in=names)
    return {customer.erp_customer_number: customer for customer in known}


def _order(order: ParsedOrder, customer: Customer, actor: str) -> DraftOrder:
    source = order.source_document or ParsedSource()
    return DraftOrder(
        organization_id=customer.organization_id,
        customer=customer,
        external_order_number=order.external_order_number,
        order_date=order.order_date,
        currency=order.currency,
        requested_delivery_date=order.requested_delivery_date,
        notes=order.notes or "",
        created_by=actor,
        source_document_id=source.document_id,
        source_file_name=source.file_name,
        source_sha256=source.sha256,
    )


def _line(order: DraftOrder, number: int, line: ParsedLine) -> DraftOrderLine:
    return DraftOrderLine(
        order=order,
        line_no=number,
        internal_sku=line.internal_sku,
        qty=line.qty,
        uom=line.uom,
        unit_price=line.unit_price,
        currency=line.currency,
        customer_sku_raw=line.customer_sku_raw or "",
        description=line.description or "",
    )


def _mark_ready(new: Iterable[UUID]) -> int:
    orders = DraftOrder.objects.filter(pk__in=new).prefetch_related("lines")
    ready = [order.pk for order in orders if not blocking_reasons(order)]
    return DraftOrder.objects.filter(pk__in=ready).move(
        OrderStatus.NEEDS_REVIEW, OrderStatus.READY, updated_at=timezone.now()
    )
