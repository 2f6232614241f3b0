"""Making draft orders and changing them: header, customer and lines in one transaction, then the ready check."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from orderflow.orders import approval
from orderflow.orders.approval import DuplicateOrderNumber
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerReference:
    """A customer by `id`, which must exist, or else by number; an unknown number makes a new customer."""

    id: UUID | None = None
    erp_customer_number: str = ""
    name: str = ""


class UnknownCustomer(Exception):
    """`field` of the reference is the one to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def create(organization: Organization, values: Mapping[str, Any], *, actor: str) -> DraftOrder:
    """`values` by the names of the order's fields; `customer` is a `CustomerReference`, `lines` are mappings.

    Raises `UnknownCustomer`, `DuplicateOrderNumber`.
    """
    order = DraftOrder(organization=organization, created_by=actor)
    with transaction.atomic():
        _write(order, values)
        record(organization.pk, actor, "create order", order)
        return approval.recheck(order)


def edit(order: DraftOrder, values: Mapping[str, Any], *, actor: str) -> DraftOrder:
    """Set what `values` names; `lines` replaces all lines. An approval does not outlive it.

    Raises `NotPossible` too.
    """
    if not values:
        return order
    with transaction.atomic():
        order = DraftOrder.objects.select_for_update(of=("self",)).select_related("organization").get(pk=order.pk)
        approval.require_editable(order)
        _write(order, values)
        record(order.organization_id, actor, "edit order", order, fields=", ".join(sorted(values)))
        return approval.recheck(order)


def _write(order: DraftOrder, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name == "customer":
            order.customer = _customer(order.organization, value) if value else None
        elif name != "lines":
            setattr(order, name, value)
    _save(order)
    if "lines" in values:
        order.lines.all().delete()
        DraftOrderLine.objects.bulk_create(_lines(order, values["lines"]))


def _lines(order: DraftOrder, lines: Iterable[Mapping[str, Any]]) -> list[DraftOrderLine]:
    return [DraftOrderLine(order=order, **line) for line in lines]


def _save(order: DraftOrder) -> None:
    try:
        with transaction.atomic():
            order.save()
    except IntegrityError as error:
        number = order.external_order_number
        raise DuplicateOrderNumber(f"Customer {order.customer} has an order {number!r} already.") from error


def _customer(organization: Organization, reference: CustomerReference) -> Customer:
    customers = Customer.objects.filter(organization=organization)
    if reference.id:
        known = customers.filter(pk=reference.id).first()
        unknown = UnknownCustomer("id", f"There is no customer {reference.id}. Check the id, or give number and name.")
    elif reference.name:
        # The name that a known customer has stays: the ERP's master data rules, not an order.
        return _known_or_new(organization, reference)
    else:
        number = reference.erp_customer_number
        known = customers.filter(erp_customer_number=number).first()
        unknown = UnknownCustomer("name", f"Customer {number!r} is new here. Give its name too.")
    if known is None:
        raise unknown
    return known


def _known_or_new(organization: Organization, reference: CustomerReference) -> Customer:
    customer, _ = Customer.objects.get_or_create(
        organization=organization,
        erp_customer_number=reference.erp_customer_number,
        defaults={"name": reference.name},
    )
    return customer
