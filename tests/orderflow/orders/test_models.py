from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.tenancy.models import Organization
from tests.orderflow.orders.conftest import MakeDraft


def test_an_order_number_is_there_once_per_customer(make_draft: MakeDraft) -> None:
    make_draft(external_order_number="PO-1")
    with pytest.raises(IntegrityError):
        make_draft(external_order_number="PO-1")


def test_two_customers_may_use_the_same_order_number(make_draft: MakeDraft, organization: Organization) -> None:
    other = Customer.objects.create(organization=organization, erp_customer_number="TOMSP", name="Toms Spezialitäten")
    make_draft(external_order_number="PO-1")
    make_draft(external_order_number="PO-1", customer=other)
    assert DraftOrder.objects.count() == 2


def test_orders_without_a_number_are_no_duplicates(make_draft: MakeDraft) -> None:
    make_draft()
    make_draft()
    assert DraftOrder.objects.count() == 2


def test_a_customer_number_is_there_once_per_organization(customer: Customer) -> None:
    other = Organization.objects.create(name="Globex", slug="globex")
    Customer.objects.create(organization=other, erp_customer_number=customer.erp_customer_number, name="Another")
    with pytest.raises(IntegrityError):
        Customer.objects.create(
            organization=customer.organization, erp_customer_number=customer.erp_customer_number, name="Again"
        )


def test_a_line_number_is_there_once_per_order(make_draft: MakeDraft) -> None:
    order = make_draft()
    with pytest.raises(IntegrityError):
        DraftOrderLine.objects.create(order=order, line_no=1, qty=1)


def test_quantities_and_prices_come_back_exact(make_draft: MakeDraft) -> None:
    order = make_draft(lines=[{"qty": Decimal("123456789012.345"), "unit_price": Decimal("98765432109.8765")}])
    line = DraftOrderLine.objects.get(order=order)
    assert (line.qty, line.unit_price) == (Decimal("123456789012.345"), Decimal("98765432109.8765"))


@pytest.mark.parametrize("code", ["eur", "EURO", "E1R", "E\nR", "€"])
def test_a_currency_is_three_capital_letters(make_draft: MakeDraft, code: str) -> None:
    order = make_draft()
    order.currency = code
    with pytest.raises(ValidationError) as refused:
        order.clean_fields(exclude=["customer", "organization"])
    assert list(refused.value.message_dict) == ["currency"]


def test_an_order_goes_by_its_number_or_else_by_its_id(make_draft: MakeDraft) -> None:
    named, nameless = make_draft(external_order_number="PO-1"), make_draft()
    assert (str(named), str(nameless)) == ("PO-1", str(nameless.pk))
