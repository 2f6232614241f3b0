from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization

MakeDraft = Callable[..., DraftOrder]
GOOD_LINE = {"internal_sku": "2", "qty": Decimal(50), "uom": "ST", "unit_price": Decimal("12.16")}


@pytest.fixture
def customer(organization: Organization) -> Customer:
    return Customer.objects.create(organization=organization, erp_customer_number="ERNSH", name="Ernst Handel")


@pytest.fixture
def make_draft(organization: Organization, customer: Customer) -> MakeDraft:
    """An order that nothing keeps from being approved, but for what the caller changes."""

    def make(*, lines: list[dict[str, Any]] | None = None, **fields: Any) -> DraftOrder:
        values = {"customer": customer, "currency": "EUR", "status": OrderStatus.READY, **fields}
        order = DraftOrder.objects.create(organization=organization, **values)
        for number, changed in enumerate([{}] if lines is None else lines, start=1):
            DraftOrderLine.objects.create(order=order, line_no=number, **{**GOOD_LINE, **changed})
        return order

    return make
