"""One rule for what identifies an order, a customer or a product, whichever way it comes in."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models
from rest_framework.test import APIClient

from connectors.documents.json_acks import parse_ack
from connectors.models import ERPConnection
from exports.models import ERPExport
from exports.webhooks.models import WebhookEndpoint, WebhookOldSecret
from orderflow.fields.identifiers import NotAnIdentifier
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import list_url, log_in, make_order, page_url

ORDERS = "/api/v1/draft-orders/"
# All the same to a person.
SPELLINGS = [
    "PO-M\u00fc 1",
    " PO-M\u00fc 1",
    "PO-M\u00fc 1\u00a0",
    "\ufeffPO-M\u00fc 1\u200b",
    "PO-Mu\u0308\u202f1",
    "PO-M\u00fc 1\n",
]
NUMBER, *OTHERS = SPELLINGS


def body(number: str = NUMBER, customer: str = "00123", **line: Any) -> dict[str, Any]:
    return {
        "external_order_number": number,
        "customer": {"erp_customer_number": customer, "name": "Ernst Handel"},
        "currency": "EUR",
        "lines": [{"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2, **line}],
    }


def imported(folder: Path, *orders: dict[str, Any]) -> int:
    path = folder / "orders.json"
    path.write_text(json.dumps(orders), encoding="utf-8")
    try:
        call_command("import_orders", str(path), "--organization", "acme")
    except CommandError as error:
        return error.returncode
    return 0


def stored() -> list[tuple[str, str]]:
    return list(DraftOrder.objects.values_list("external_order_number", "customer__erp_customer_number"))


@pytest.mark.usefixtures("organization")
@pytest.mark.parametrize("again", OTHERS)
def test_another_spelling_is_no_other_order_in_an_import(tmp_path: Path, again: str) -> None:
    assert imported(tmp_path, body()) == 0
    assert imported(tmp_path, body(again, "00123\u00a0")) == 0
    assert stored() == [(NUMBER, "00123")]
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("again", OTHERS)
def test_another_spelling_is_no_other_order_in_the_api(api: APIClient, again: str) -> None:
    assert api.post(ORDERS, body(again, " 00123"), format="json").json()["external_order_number"] == NUMBER
    answer = api.post(ORDERS, body(), format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate_order_number")
    assert stored() == [(NUMBER, "00123")]
    # A line break in an address is a slip of a script, and rejected as one.
    found = api.get(ORDERS, {"external_order_number": again.strip("\n")}).json()
    assert len(found["results"]) == 1
    assert len(api.get(ORDERS, {"erp_customer_number": "00123 "}).json()["results"]) == 1


@pytest.mark.parametrize("again", OTHERS)
def test_an_edit_cannot_take_the_number_of_another_order(api: APIClient, again: str) -> None:
    api.post(ORDERS, body(), format="json")
    other = api.post(ORDERS, body("PO-2"), format="json").json()["id"]
    answer = api.patch(f"{ORDERS}{other}/", {"external_order_number": again}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate_order_number")
    stranger = api.post(ORDERS, body(again, "00999"), format="json").json()["id"]
    answer = api.patch(f"{ORDERS}{stranger}/", {"customer": {"erp_customer_number": " 00123"}}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate_order_number")
    assert sorted(stored()) == sorted([(NUMBER, "00123"), ("PO-2", "00123"), (NUMBER, "00999")])


@pytest.mark.parametrize("again", OTHERS)
def test_another_spelling_is_no_other_order_in_the_admin(organization: Organization, again: str) -> None:
    first = make_order(organization, NUMBER, OrderStatus.READY)
    client = log_in(organization, Role.OPS)
    data = {
        "customer": first.customer_id, "external_order_number": again, "currency": "EUR",
        "lines-TOTAL_FORMS": 0, "lines-INITIAL_FORMS": 0,
    }  # fmt: skip
    page = client.post(list_url(DraftOrder, "add"), data)
    assert "has an order with this number already." in page.content.decode()
    data = {"erp_customer_number": "C1\u00a0\u200b", "name": "Another"}
    assert client.post(list_url(Customer, "add"), data).status_code == 200
    assert (DraftOrder.objects.count(), Customer.objects.count()) == (1, 1)


@pytest.mark.parametrize("name", ["external_order_number", "erp_customer_number"])
def test_a_lookup_of_what_is_no_identifier_is_rejected_by_name(api: APIClient, name: str) -> None:
    api.post(ORDERS, body(), format="json")
    answer = api.get(ORDERS, {name: "PO\u001a1"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")


@pytest.mark.parametrize("field", ["internal_sku", "uom", "currency", "customer_sku_raw"])
def test_what_a_line_names_is_trimmed_everywhere(api: APIClient, tmp_path: Path, field: str) -> None:
    value = {"uom": "KG", "currency": "CHF"}.get(field, "A 1")
    api.post(ORDERS, body("PO-API", **{field: f"\u00a0{value}\ufeff"}), format="json")
    assert imported(tmp_path, body("PO-FILE", **{field: f"\u202f{value} "})) == 0
    assert set(DraftOrderLine.objects.values_list(field, flat=True)) == {value}
    assert DraftOrder.objects.filter(status=OrderStatus.READY).count() == 2


@pytest.mark.parametrize("hidden", ["PO\u200b1", "PO\u202e1", "PO\x071", "PO\n1"])
def test_an_invisible_character_is_rejected_everywhere(
    api: APIClient, organization: Organization, tmp_path: Path, hidden: str
) -> None:
    answer = api.post(ORDERS, body(hidden), format="json")
    text = f"Character 3 is U+{ord(hidden[2]):04X}, which is invisible. Remove it."
    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"pointer": "/external_order_number", "message": text}],
    )  # fmt: skip
    assert imported(tmp_path, body(hidden)) == 1
    order = make_order(organization, "PO-1", OrderStatus.READY)
    page = log_in(organization, Role.OPS).post(
        page_url(order),
        {"customer": order.customer_id, "external_order_number": hidden, "currency": "EUR",
         "lines-TOTAL_FORMS": 0, "lines-INITIAL_FORMS": 0},
    )  # fmt: skip
    if hidden != "PO\n1":  # what a browser cannot send from one line
        assert text in page.content.decode()
    assert stored() == [("PO-1", "C1")]


def test_no_way_to_the_database_passes_the_rule(organization: Organization) -> None:
    """Not `create`, `save`, `bulk_create`, `bulk_update`, `update`, `get_or_create`."""
    row = Customer.objects.create(organization=organization, erp_customer_number=" A\u00a0", name="x")
    assert row.erp_customer_number == "A"
    row.erp_customer_number = "B "
    row.save()
    Customer.objects.bulk_update([row], ["name"])
    assert Customer.objects.get_or_create(
        organization=organization, erp_customer_number=" B", defaults={"name": "x"}
    ) == (row, False)
    row.erp_customer_number = "\ufeffC"
    Customer.objects.bulk_update([row], ["erp_customer_number"])
    assert Customer.objects.filter(erp_customer_number="C").exists()
    Customer.objects.filter(erp_customer_number__in=["C "]).update(erp_customer_number="D ")
    Customer.objects.bulk_create([Customer(organization=organization, erp_customer_number="E\u2007", name="x")])
    assert set(Customer.objects.values_list("erp_customer_number", flat=True)) == {"D", "E"}
    for write in (
        lambda: Customer.objects.update(erp_customer_number="A\0B"),
        lambda: Customer(organization=organization, erp_customer_number="A\u200bB", name="x").save(),
        lambda: Customer.objects.bulk_create([Customer(organization=organization, erp_customer_number="A\nB")]),
    ):
        with pytest.raises(NotAnIdentifier):
            write()


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (Organization, ["slug"]),
        (Customer, ["erp_customer_number"]),
        (DraftOrder, ["external_order_number", "currency", "erp_order_id", "source_document_id"]),
        (DraftOrderLine, ["internal_sku", "uom", "currency", "customer_sku_raw"]),
        (ERPConnection, ["name"]),
        (WebhookEndpoint, ["name"]),
        (WebhookOldSecret, ["name"]),
        (ERPExport, ["erp_order_id", "error_code"]),
    ],
)
def test_every_identifier_has_the_rule(model: type[models.Model], fields: list[str]) -> None:
    for name in fields:
        field = model._meta.get_field(name)
        assert isinstance(field, models.Field)
        assert field.get_prep_value("\u00a0A\u202fB\ufeff") == "A B"


def test_a_connection_name_is_there_already_in_another_spelling(api: APIClient, connection: ERPConnection) -> None:
    config = {"mode": "filesystem", "export_path": "in"}
    new = {"name": "Folder\ufeff", "connector_type": "DROPZONE_JSON_V1", "config": config}
    answer = api.post("/api/v1/erp-connections/", new, format="json")
    assert (answer.status_code, ERPConnection.objects.count()) == (422, 1), answer.json()


def test_what_the_erp_calls_the_order_is_recorded_by_the_rule() -> None:
    raw = json.dumps({"status": "ACKED", "erp_order_id": "\u00a0SO\u202f1\ufeff"}).encode()
    assert parse_ack("ack_x.json", raw).erp_order_id == "SO 1"
    raw = json.dumps({"status": "FAILED", "error_code": "E\u00071 "}).encode()
    assert parse_ack("error_x.json", raw).error_code == "E 1"
