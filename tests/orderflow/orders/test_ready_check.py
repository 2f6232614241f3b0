from datetime import date
from decimal import Decimal
from typing import Any

from pytest_django import DjangoAssertNumQueries

from orderflow.orders.models import DraftOrder
from orderflow.orders.ready_check import BlockingReason, Remark, blocking_reasons, remarks
from orderflow.orders.units import UNITS
from tests.orderflow.orders.conftest import MakeDraft
from tests.support.cases import each_case


def test_nothing_keeps_a_complete_order_from_being_approved(make_draft: MakeDraft) -> None:
    assert blocking_reasons(make_draft()) == []


@each_case(
    ("header", "field", "message"),
    [
        ({"customer": None}, "customer", "The customer is not set."),
        ({"currency": ""}, "currency", "The currency is not set."),
        ({"lines": []}, "lines", "The order has no lines. Add at least one."),
        (
            {"order_date": date(1, 1, 1)},
            "order_date",
            "The order date is 0001-01-01, which programs write for no date. Correct or remove it.",
        ),
        (
            {"requested_delivery_date": date(9999, 12, 31)},
            "requested_delivery_date",
            "The requested delivery date is 9999-12-31, which programs write for no date. Correct or remove it.",
        ),
    ],
)
def test_what_the_header_lacks_is_told(make_draft: MakeDraft, header: dict[str, Any], field: str, message: str) -> None:
    assert blocking_reasons(make_draft(**header)) == [BlockingReason(field=field, message=message)]


@each_case(
    ("line", "field", "message"),
    [
        ({"internal_sku": ""}, "lines/0/internal_sku", "Line 1: the SKU is missing."),
        ({"uom": ""}, "lines/0/uom", "Line 1: the unit is missing."),
        ({"uom": "CRATE"}, "lines/0/uom", "Line 1: the unit 'CRATE' is unknown. Known units: BO, BTL,"),
        ({"uom": "st"}, "lines/0/uom", "Line 1: the unit 'st' is unknown."),
        ({"qty": Decimal(0)}, "lines/0/qty", "Line 1: the quantity is 0; it must be above 0."),
        ({"qty": Decimal("-2.500")}, "lines/0/qty", "Line 1: the quantity is -2.5; it must be above 0."),
        (
            {"unit_price": Decimal("-5.0000")},
            "lines/0/unit_price",
            "Line 1: the unit price is -5; it must not be negative. Correct it.",
        ),
        ({"qty": Decimal(-100)}, "lines/0/qty", "Line 1: the quantity is -100; it must be above 0."),
    ],
)
def test_what_a_line_lacks_is_told(make_draft: MakeDraft, line: dict[str, Any], field: str, message: str) -> None:
    [reason] = blocking_reasons(make_draft(lines=[line]))
    assert reason.field == field
    assert reason.message.startswith(message)


def test_every_reason_is_told_at_once_with_the_place_of_the_line(make_draft: MakeDraft) -> None:
    order = make_draft(customer=None, currency="", lines=[{}, {"internal_sku": "", "uom": "", "qty": Decimal(0)}])
    assert [reason.field for reason in blocking_reasons(order)] == [
        "customer",
        "currency",
        "lines/1/internal_sku",
        "lines/1/uom",
        "lines/1/qty",
    ]


def test_a_price_of_0_is_allowed_and_remarked(make_draft: MakeDraft) -> None:
    order = make_draft(lines=[{}, {"unit_price": Decimal(0)}])
    assert blocking_reasons(order) == []
    assert remarks(order) == [Remark(field="lines/1/unit_price", message="Line 2: the unit price is 0.")]


@each_case("unit", sorted(UNITS))
def test_every_known_unit_is_good_and_fits_its_column(make_draft: MakeDraft, unit: str) -> None:
    order = make_draft(lines=[{"uom": unit}])
    assert blocking_reasons(order) == []
    order.lines.get().clean_fields()


def test_the_smallest_quantity_is_enough(make_draft: MakeDraft) -> None:
    assert blocking_reasons(make_draft(lines=[{"qty": Decimal("0.001")}])) == []


def test_orders_with_prefetched_lines_are_checked_without_a_query_each(
    make_draft: MakeDraft, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_draft()
    with django_assert_num_queries(2):
        assert [blocking_reasons(order) for order in DraftOrder.objects.prefetch_related("lines")] == [[], [], []]
