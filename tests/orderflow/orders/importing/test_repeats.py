"""A file whose orders are stored already, but otherwise."""

from decimal import Decimal
from typing import Any

import pytest

from orderflow.orders import approval, editing
from orderflow.orders.importing import importer
from orderflow.orders.importing.importer import import_orders
from orderflow.orders.importing.source import Source, read_source
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from tests.orderflow.orders.importing.conftest import Northwind, Orders, order
from tests.support.product.imports import Outcome

pytestmark = pytest.mark.usefixtures("organization")
LINE = {"internal_sku": "2", "qty": 1, "uom": "ST", "unit_price": 12.16, "description": "Chang"}
MORE = {**LINE, "qty": 100}


def rows() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (DraftOrder, DraftOrderLine, Customer)]


def test_what_differs_is_reported_and_nothing_is_changed(orders_file: Orders) -> None:
    same = order(external_order_number="PO-2")
    Outcome(orders_file(order(lines=[LINE]), same))
    before = rows()
    outcome = Outcome(orders_file(order(lines=[MORE], notes="Ring twice", order_date=None), same))
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        "Order 'PO-1' of customer 'TOMSP' differs: order_date is stored as 2026-11-23, the file has empty; notes is "
        "stored as empty, the file has 'Ring twice'; lines/1/qty is stored as 1, the file has 100. Nothing was "
        "changed. To take over what the file has, import it with --update."
    )
    assert outcome.message == "1 order differs from what is stored and stayed as stored."
    assert (outcome.counts["Already there"], outcome.counts["Differing"], outcome.counts["Updated"]) == (1, 1, 0)
    assert rows() == before


def test_an_update_takes_the_content_of_the_file(orders_file: Orders) -> None:
    Outcome(orders_file(order(lines=[LINE, LINE])))
    changed = orders_file(order(lines=[MORE], notes="Ring twice"))
    outcome = Outcome(changed, "--update", "--json", "--user", "olga")
    assert (outcome.code, outcome.json["updated"], outcome.json["differing"]) == (0, 1, 0)
    assert outcome.json["differences"] == [
        {
            "number": "PO-1", "customer": "TOMSP", "kept_because": "",
            "differences": [
                {"field": "notes", "stored": "empty", "in_file": "'Ring twice'"},
                {"field": "lines/1/qty", "stored": "1", "in_file": "100"},
                {"field": "lines/2", "stored": "1 ST of '2'", "in_file": "no such line"},
            ],
        }
    ]  # fmt: skip
    stored = DraftOrder.objects.get()
    assert (stored.notes, stored.status, stored.lines.get().qty) == ("Ring twice", OrderStatus.READY, Decimal(100))
    assert AuditEntry.objects.get(action="edit order").actor == "olga"
    again = Outcome(changed)
    assert (again.code, again.counts["Already there"]) == (0, 1)


@pytest.mark.parametrize("status", [OrderStatus.APPROVED, OrderStatus.PUSHING, OrderStatus.PUSHED])
def test_an_order_that_somebody_decided_on_is_never_updated(orders_file: Orders, status: OrderStatus) -> None:
    Outcome(orders_file(order(lines=[LINE])))
    DraftOrder.objects.update(status=status)
    before = rows()
    outcome = Outcome(orders_file(order(lines=[MORE])), "--update")
    assert (outcome.code, outcome.counts["Differing"], rows()) == (1, 1, before)
    assert f"It stays as it is, because it is {status}." in outcome.err


def test_the_number_of_a_rejected_order_is_imported_again(orders_file: Orders) -> None:
    """B49. As a new order, and the command says so; once that one is stored, it counts as there already."""
    Outcome(orders_file(order(lines=[LINE])))
    DraftOrder.objects.update(status=OrderStatus.REJECTED)
    outcome = Outcome(orders_file(order(lines=[MORE])))
    assert (outcome.code, outcome.counts["Imported"]) == (0, 1)
    assert "Order PO-1: an order with this number was rejected before. This is a new order." in outcome.err
    assert {each.status: each.lines.get().qty for each in DraftOrder.objects.all()} == {"REJECTED": 1, "READY": 100}
    again = Outcome(orders_file(order(lines=[MORE])))
    assert (again.code, again.counts["Imported"], again.counts["Already there"]) == (0, 0, 1)
    assert "rejected before" not in again.err


def test_an_order_that_the_erp_refused_may_be_updated(orders_file: Orders) -> None:
    Outcome(orders_file(order(lines=[LINE])))
    DraftOrder.objects.update(status=OrderStatus.ERROR, error_message="unknown")
    assert Outcome(orders_file(order(lines=[MORE])), "--update").code == 0
    stored = DraftOrder.objects.get()
    assert (stored.status, stored.error_message, stored.lines.get().qty) == (OrderStatus.READY, "", Decimal(100))


def test_an_update_that_makes_an_order_incomplete_takes_its_readiness(orders_file: Orders) -> None:
    Outcome(orders_file(order(lines=[LINE])))
    assert Outcome(orders_file(order(lines=[{**LINE, "unit_price": -5}])), "--update").code == 0
    assert DraftOrder.objects.get().status == OrderStatus.NEEDS_REVIEW


def test_a_dry_run_of_an_update_keeps_nothing(orders_file: Orders) -> None:
    Outcome(orders_file(order(lines=[LINE])))
    before = rows()
    outcome = Outcome(orders_file(order(lines=[MORE])), "--update", "--dry-run", "--json")
    assert (outcome.code, outcome.json["updated"], rows()) == (0, 1, before)


def test_equal_numbers_are_equal_however_they_are_written(orders_file: Orders) -> None:
    Outcome(orders_file(order(lines=[LINE])))
    again = order(lines=[{**LINE, "qty": "1.000", "unit_price": "12.1600", "line_no": 1, "internal_sku": " 2"}])
    assert Outcome(orders_file(again)).code == 0


def test_an_order_that_came_in_without_its_lines_is_completed_on_request(
    organization: Organization, northwind: Northwind
) -> None:
    """An earlier release imported the order alone."""
    customer = Customer.objects.create(organization=organization, erp_customer_number="VINET", name="V")
    DraftOrder.objects.create(organization=organization, customer=customer, external_order_number="PO-10248")
    told = Outcome(northwind())
    assert told.code == 1
    assert "lines/1 is stored as no such line, the file has 12 ST of '11'" in told.err
    assert Outcome(northwind(), "--update").code == 0
    assert DraftOrder.objects.get(external_order_number="PO-10248").status == OrderStatus.READY


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("order_details.csv", "10249,14,18.60,9,0.00\n10249,11,14.00,40,0.15\n", ""),
        ("order_details.csv", "10249,", "l0249,"),
        ("order_details.csv", "40,0.15\n", "40"),
        ("order_details.csv", "40,0.15\n", "40,0.1"),
        ("order_details.csv", "18.60,9,", "18.60,1.234,"),
        ("orders.csv", "10249,TOMSP", "10249"),
    ],
)
def test_an_incomplete_order_is_left_out_and_comes_in_with_the_corrected_file(
    northwind: Northwind, file: str, old: str, new: str
) -> None:
    outcome = Outcome(northwind((file, old, new)))
    assert (outcome.code, outcome.counts["Imported"]) == (1, 1)
    assert DraftOrder.objects.get().external_order_number == "PO-10248"
    outcome = Outcome(northwind())
    assert (outcome.code, outcome.counts["Imported"], outcome.counts["Already there"]) == (0, 1, 1)
    assert DraftOrder.objects.get(external_order_number="PO-10249").lines.count() == 2


def test_another_name_for_a_stored_customer_is_told_and_the_stored_one_stays(orders_file: Orders) -> None:
    Outcome(orders_file(order()))
    other = {"erp_customer_number": "TOMSP", "name": "Ernst Handel"}
    path = orders_file(order(external_order_number="PO-2", customer=other), order())
    outcome = Outcome(path, "--json")
    told = (
        "Customer 'TOMSP' is stored as 'Toms Spezialit\u00e4ten', the file has 'Ernst Handel'. The stored name stays."
    )
    assert (outcome.code, outcome.json["remarks"]) == (0, [told])
    assert Customer.objects.get().name == "Toms Spezialit\u00e4ten"


def test_a_price_of_0_is_told(orders_file: Orders) -> None:
    outcome = Outcome(orders_file(order(lines=[LINE, {**LINE, "unit_price": 0}])))
    assert (outcome.code, outcome.counts["Ready"]) == (0, 1)
    assert "Order PO-1: Line 2: the unit price is 0." in outcome.err


class Killed(Exception):
    """The process is gone."""


def killed_after(batches: int, source: Source, organization: Organization) -> None:
    def on_progress(done: int) -> None:
        nonlocal batches
        batches -= 1
        if not batches:
            raise Killed

    with pytest.raises(Killed):
        import_orders(source, organization, "ingrid", on_progress=on_progress)


def test_a_run_after_one_that_was_killed_imports_the_rest(
    organization: Organization, orders_file: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH_SIZE", 3)
    path = orders_file(*(order(external_order_number=f"PO-{number}") for number in range(10)))
    killed_after(2, read_source(path), organization)
    assert DraftOrder.objects.count() == 6
    outcome = Outcome(path)
    assert (outcome.code, outcome.counts["Imported"], outcome.counts["Already there"]) == (0, 4, 6)
    stored = DraftOrder.objects.values_list("external_order_number", flat=True)
    assert sorted(stored) == [f"PO-{number}" for number in range(10)]
    assert DraftOrderLine.objects.count() == 10


def test_a_negative_price_keeps_an_imported_order_from_being_approved(orders_file: Orders) -> None:
    assert Outcome(orders_file(order(lines=[{**LINE, "unit_price": -5}]))).code == 0
    stored = DraftOrder.objects.get()
    with pytest.raises(approval.NotPossible, match="the unit price is -5; it must not be negative"):
        approval.approve(stored, "olga")
    editing.edit(stored, {"lines": [{**LINE, "line_no": 1, "unit_price": Decimal(5)}]}, actor="olga")
    stored.refresh_from_db()
    assert approval.approve(DraftOrder.objects.get(), "olga").status == OrderStatus.APPROVED
