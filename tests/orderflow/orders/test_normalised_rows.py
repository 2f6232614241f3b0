"""What became of rows that an earlier release stored as they came."""

import importlib

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import StateApps

from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.support.tenants import make_order

MIGRATION = importlib.import_module("orderflow.orders.migrations.0007_normalised_identifiers")


@pytest.fixture
def before(db: None) -> StateApps:
    """The models as a migration has them: without the rule."""
    return MigrationLoader(connection).project_state([("orders", "0006_room_for_whole_pages")]).apps


def numbers() -> set[str]:
    return set(DraftOrder.objects.values_list("external_order_number", flat=True))


def test_rows_of_earlier_releases_are_normalised_where_none_collides(
    organization: Organization, before: StateApps, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = [make_order(organization, f"X-{n}", OrderStatus.READY) for n in range(4)]
    old = before.get_model("orders", "DraftOrder").objects
    for order, number in zip(orders, ["PO-1", "PO-1\u00a0", "Mu\u0308 ", "\ufeffPO-3"], strict=True):
        old.filter(pk=order.pk).update(external_order_number=number)
    before.get_model("orders", "Customer").objects.update(erp_customer_number="C1 ")
    before.get_model("orders", "DraftOrderLine").objects.update(internal_sku=" 42", uom="ST ")
    MIGRATION.normalise(before, None)
    assert numbers() == {"PO-1", "PO-1\u00a0", "M\u00fc", "PO-3"}
    assert Customer.objects.get().erp_customer_number == "C1"
    line = orders[0].lines.get()
    assert (line.internal_sku, line.uom) == ("42", "ST")
    told = capsys.readouterr().err
    assert told == (
        f"draft order {orders[1].pk}: external_order_number 'PO-1\\xa0' would become 'PO-1', which another has. "
        "It was left as it is. Correct one of the two in the admin.\n"
    )


def test_an_order_on_its_way_keeps_the_texts_of_its_document(organization: Organization, before: StateApps) -> None:
    make_order(organization, "PO-1", OrderStatus.PUSHING)
    before.get_model("orders", "DraftOrder").objects.update(external_order_number="PO-1 ")
    before.get_model("orders", "Customer").objects.update(erp_customer_number="C1 ")
    MIGRATION.normalise(before, None)
    assert numbers() == {"PO-1 "}
    assert set(before.get_model("orders", "Customer").objects.values_list("erp_customer_number", flat=True)) == {"C1 "}
