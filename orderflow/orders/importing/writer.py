"""Parsed orders -> rows, a batch in one transaction and a fixed number of queries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orderflow.orders.importing.differences import DifferingOrder
from orderflow.orders.importing.repeats import Given, meet_stored
from orderflow.orders.importing.values import ParsedLine, ParsedOrder, ParsedSource
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.ready_check import blocking_reasons, remarks
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """`ready` are those of the imported that nothing keeps from being approved; `already_there` those that are stored
    just as the file has them; `updated` and `differing` those that are stored otherwise. `remarks` are for people."""

    imported: int = 0
    ready: int = 0
    already_there: int = 0
    updated: tuple[DifferingOrder, ...] = ()
    differing: tuple[DifferingOrder, ...] = ()
    remarks: tuple[str, ...] = ()

    def __add__(self, other: "Written") -> "Written":
        return Written(
            imported=self.imported + other.imported,
            ready=self.ready + other.ready,
            already_there=self.already_there + other.already_there,
            updated=self.updated + other.updated,
            differing=self.differing + other.differing,
            # A customer's name may be told by every batch.
            remarks=tuple(dict.fromkeys(self.remarks + other.remarks)),
        )


@transaction.atomic
def write_batch(
    orders: Sequence[ParsedOrder], organization: Organization, actor: str, *, update: bool = False
) -> Written:
    """No two of `orders` may have the same identity. What is stored already stays as it is; with `update`, what differs
    takes the file's content as long as nobody has approved it."""
    # In one order everywhere, so that two imports at once wait for each other instead of locking each other out.
    orders = sorted(orders, key=lambda order: (order.external_order_number, order.customer.erp_customer_number))
    customers = _customers(orders, organization)
    given = [_given(order, customers[order.customer.erp_customer_number], actor) for order in orders]
    # Another import may get there first: the database says which rows are new, not a look before.
    DraftOrder.objects.bulk_create([each.order for each in given], ignore_conflicts=True)
    stored = DraftOrder.objects.filter(pk__in=[each.order.pk for each in given])
    new = set(stored.values_list("pk", flat=True))
    DraftOrderLine.objects.bulk_create(line for each in given if each.order.pk in new for line in each.lines)
    ready, noted = _check(new)
    noted += _rejected_before([each.order for each in given if each.order.pk in new])
    repeated = meet_stored([each for each in given if each.order.pk not in new], actor, update=update)
    return Written(
        imported=len(new),
        ready=ready,
        already_there=len(orders) - len(new) - len(repeated),
        updated=tuple(each for each in repeated if not each.kept_because),
        differing=tuple(each for each in repeated if each.kept_because),
        remarks=(*_other_names(orders, customers), *noted),
    )


def _customers(orders: Iterable[ParsedOrder], organization: Organization) -> Mapping[str, Customer]:
    """By ERP number; the unknown are made, the known keep their name."""
    names: dict[str, str] = {}
    for order in orders:
        names.setdefault(order.customer.erp_customer_number, order.customer.name)
    Customer.objects.bulk_create(
        [
            Customer(organization=organization, erp_customer_number=number, name=names[number])
            for number in sorted(names)
        ],
        ignore_conflicts=True,
    )
    known = Customer.objects.filter(organization=organization, erp_customer_number__in=names)
    return {customer.erp_customer_number: customer for customer in known}


def _other_names(orders: Iterable[ParsedOrder], customers: Mapping[str, Customer]) -> Iterator[str]:
    """A number that leads to another name may be the number of another customer."""
    for number, name in dict.fromkeys((order.customer.erp_customer_number, order.customer.name) for order in orders):
        if customers[number].name != name:
            stored = customers[number].name
            yield f"Customer {number!r} is stored as {stored!r}, the file has {name!r}. The stored name stays."


def _given(order: ParsedOrder, customer: Customer, actor: str) -> Given:
    row = _order(order, customer, actor)
    lines = [_line(row, number, line) for number, line in order.numbered_lines]
    return Given(order=row, lines=lines, has_source=order.source_document is not None)


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


def _rejected_before(new: Sequence[DraftOrder]) -> list[str]:
    """A warning for each new order with the number of a rejected one: a file that is imported again brings it back."""
    rejected = DraftOrder.objects.filter(
        customer__in={order.customer_id for order in new},
        external_order_number__in={order.external_order_number for order in new},
        status=OrderStatus.REJECTED,
    )
    identities = set(rejected.values_list("customer_id", "external_order_number"))
    return [
        f"Order {order}: an order with this number was rejected before. This is a new order."
        for order in new
        if (order.customer_id, order.external_order_number) in identities
    ]


def _check(new: Iterable[UUID]) -> tuple[int, list[str]]:
    """How many of the new orders are ready, and what is worth a look."""
    orders = list(DraftOrder.objects.filter(pk__in=new).prefetch_related("lines"))
    ready = [order.pk for order in orders if not blocking_reasons(order)]
    moved = DraftOrder.objects.filter(pk__in=ready).move(
        OrderStatus.NEEDS_REVIEW, OrderStatus.READY, updated_at=timezone.now()
    )
    return moved, sorted(f"Order {order}: {remark.message}" for order in orders for remark in remarks(order))
