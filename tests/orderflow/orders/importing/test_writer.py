from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec import convert

from orderflow.orders.importing.values import ParsedOrder
from orderflow.orders.importing.writer import Written, write_batch
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.ready_check import blocking_reasons
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.orderflow.orders.importing.conftest import order


def parsed(number: str = "PO-1", **changes: Any) -> ParsedOrder:
    return convert(order(external_order_number=number, **changes), ParsedOrder)


def test_an_order_becomes_rows_with_every_field(organization: Organization) -> None:
    line = {
        "line_no": 7,
        "internal_sku": "2",
        "qty": Decimal("1.5"),
        "uom": "KG",
        "unit_price": Decimal("9.8"),
        "currency": "CHF",
        "customer_sku_raw": "C-2",
        "description": "Chang",
    }
    document = {"document_id": "d-1", "file_name": "order.pdf", "sha256": "ab" * 32}
    changes: dict[str, Any] = {
        "notes": "Ring twice",
        "requested_delivery_date": "2026-12-01",
        "source_document": document,
    }
    write_batch([parsed(lines=[line], **changes)], organization, "ingrid")

    stored = DraftOrder.objects.get()
    assert stored.organization == organization
    assert stored.customer == Customer.objects.get(organization=organization, erp_customer_number="TOMSP")
    assert (stored.external_order_number, stored.currency, stored.notes) == ("PO-1", "EUR", "Ring twice")
    assert (str(stored.order_date), str(stored.requested_delivery_date)) == ("2026-11-23", "2026-12-01")
    assert (stored.source_document_id, stored.source_file_name, stored.source_sha256) == tuple(document.values())
    assert (stored.created_by, stored.status) == ("ingrid", OrderStatus.READY)
    row = stored.lines.get()
    assert {name: getattr(row, name) for name in line} == line


def test_an_order_that_is_blocked_needs_a_review(organization: Organization) -> None:
    orders = [
        parsed("PO-1"),
        parsed("PO-2", currency=""),
        parsed("PO-3", lines=[]),
        parsed("PO-4", lines=[{"internal_sku": "2", "qty": -1, "uom": "ST", "unit_price": 1}]),
        parsed("PO-5", lines=[{"internal_sku": "2", "qty": 1, "uom": "CRATE", "unit_price": 1}]),
        parsed("PO-6", lines=[{"internal_sku": "2", "qty": 1, "uom": "ST", "unit_price": -5}]),
    ]
    assert write_batch(orders, organization, "ingrid") == Written(imported=6, ready=1, already_there=0)
    for stored in DraftOrder.objects.all():
        expected = OrderStatus.NEEDS_REVIEW if blocking_reasons(stored) else OrderStatus.READY
        assert stored.status == expected
    assert DraftOrder.objects.get(status=OrderStatus.READY).external_order_number == "PO-1"


def test_what_is_there_already_stays_as_it_is(organization: Organization) -> None:
    write_batch([parsed("PO-1"), parsed("PO-2")], organization, "ingrid")
    DraftOrder.objects.filter(external_order_number="PO-1").update(status=OrderStatus.PUSHED)
    before = list(DraftOrder.objects.order_by("pk").values())
    lines_before = list(DraftOrderLine.objects.order_by("pk").values())

    changed = [parsed("PO-1", currency="CHF"), parsed("PO-2", lines=[]), parsed("PO-3")]
    written = write_batch(changed, organization, "olga")
    assert (written.imported, written.already_there, len(written.differing)) == (1, 0, 2)
    assert list(DraftOrder.objects.exclude(external_order_number="PO-3").order_by("pk").values()) == before
    assert list(DraftOrderLine.objects.order_by("pk").values())[:2] == lines_before
    assert DraftOrderLine.objects.count() == 3


def test_repeats_take_as_many_queries_as_one_repeat(organization: Organization) -> None:
    for count in (1, 40):
        write_batch([parsed(f"{count}-{number}") for number in range(count)], organization, "ingrid")
    assert _queries_of(1, organization) == _queries_of(40, organization)


def test_a_known_customer_keeps_the_name(organization: Organization) -> None:
    Customer.objects.create(organization=organization, erp_customer_number="TOMSP", name="Tom")
    write_batch([parsed()], organization, "ingrid")
    assert Customer.objects.get().name == "Tom"


def test_another_organization_has_its_own_customers_and_orders(organization: Organization) -> None:
    """S1."""
    other = Organization.objects.create(name="Globex", slug="globex")
    for tenant in (organization, other):
        assert write_batch([parsed()], tenant, "ingrid").imported == 1
        assert DraftOrder.objects.get(organization=tenant).customer in Customer.objects.filter(organization=tenant)
    assert Customer.objects.count() == 2


def _queries_of(count: int, organization: Organization) -> int:
    orders = [parsed(f"{count}-{number}") for number in range(count)]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        write_batch(orders, organization, "ingrid")
    return len(captured)


def test_a_batch_takes_as_many_queries_as_one_order(organization: Organization) -> None:
    assert _queries_of(1, organization) == _queries_of(40, organization)


@pytest.mark.django_db(transaction=True)
def test_imports_at_the_same_time_make_every_order_once(organization: Organization) -> None:
    orders = [
        parsed(f"PO-{number}", customer={"erp_customer_number": f"{number}", "name": "X"}) for number in range(30)
    ]
    together = Barrier(4)

    def write(shift: int) -> Written:
        together.wait(timeout=30)
        try:
            return write_batch(orders[shift:] + orders[:shift], organization, "ingrid")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(write, (0, 10, 20, 25)))
    assert sum(result.imported for result in written) == 30
    assert sum(result.already_there for result in written) == 90
    assert (DraftOrder.objects.count(), DraftOrderLine.objects.count(), Customer.objects.count()) == (30, 30, 30)
