"""What people type for numbers and dates in the admin, and what the pages show."""

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client

from connectors.models import ERPConnection
from orderflow.api.models import ApiToken
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.order_forms import form_of, save
from tests.support.tenants import list_url, log_in, make_order, make_tenant, page_url

INPUT = re.compile(r"<input[^>]*>")


def shown(page: str, name: str) -> str:
    """The text in an input of the page."""
    [tag] = [tag for tag in INPUT.findall(page) if f'name="{name}"' in tag]
    value = re.search(r'value="([^"]*)"', tag)
    return unescape(value[1]) if value else ""


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


@pytest.fixture
def order(organization: Organization) -> DraftOrder:
    return make_order(organization, "PO-1", OrderStatus.READY)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("3,5", "3.5"), ("3.5", "3.5"), ("1.234,50", "1234.5"), ("1,234.50", "1234.5"), ("1\u202f234,5", "1234.5"),
     ("1'234", "1234"), ("40,0000", "40")],
)  # fmt: skip
def test_a_quantity_is_read_as_it_was_meant(client: Client, order: DraftOrder, typed: str, stored: str) -> None:
    save(client, order, **{"lines-0-qty": typed, "lines-0-unit_price": typed})
    line = order.lines.get()
    assert (line.qty, line.unit_price) == (Decimal(stored), Decimal(stored))


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("lines-0-qty", "1.234", "'1.234' is ambiguous. Write 1234 or 1.2340."),
        ("lines-0-unit_price", " 1,234", "' 1,234' is ambiguous. Write 1234 or 1,2340."),
        ("lines-0-unit_price", "18,90 \u20ac", "has a currency sign. Write the number alone, such as 18.90."),
        ("lines-0-unit_price", "5-", "has its minus sign at the end. Write -5."),
        ("lines-0-qty", "1e3", "has an exponent. Write all its digits."),
        ("lines-0-qty", "0,0001", "0.0001 has too many decimals: at most 3. Round it."),
        ("lines-0-line_no", "1,5", "'1,5' is not a whole number."),
        ("order_date", "5/7/2026", "Write the date as 2026-11-30 or 30.11.2026."),
    ],
)
def test_a_rejected_entry_is_shown_as_it_was_typed(
    client: Client, order: DraftOrder, name: str, typed: str, message: str
) -> None:
    page = client.post(page_url(order), form_of(order, **{name: typed})).content.decode()
    assert message in unescape(page)
    assert shown(page, name) == typed
    assert order.lines.get().qty == Decimal(10)


def test_a_date_is_read_in_both_spellings(client: Client, order: DraftOrder) -> None:
    save(client, order, order_date="05.07.2026", requested_delivery_date="2026-07-08")
    assert (str(order.order_date), str(order.requested_delivery_date)) == ("2026-07-05", "2026-07-08")


@pytest.mark.parametrize("qty", ["40.000", "1.125", "12.345", "123456789012.000", "0.125", "7.3"])
def test_a_stored_number_survives_showing_and_saving(client: Client, order: DraftOrder, qty: str) -> None:
    order.lines.update(qty=Decimal(qty), unit_price=Decimal(qty[:11]))
    before = order.lines.values().get()
    page = client.get(page_url(order)).content.decode()
    sent = {name: shown(page, name) for name in ("lines-0-qty", "lines-0-unit_price", "lines-0-line_no")}
    assert not sent["lines-0-qty"].endswith(".000")
    save(client, order, notes="changed", **sent)
    assert order.notes == "changed"
    assert order.lines.values().get() == before
    save(client, order, **{name: text.replace(".", ",") for name, text in sent.items()})
    assert order.lines.values().get() == before


def test_a_negative_price_and_a_price_of_0_are_told_on_the_page(client: Client, order: DraftOrder) -> None:
    page = save(client, order, **{"lines-0-unit_price": "-5,00", "_continue": "1"})
    assert "Line 1: the unit price is -5; it must not be negative. Correct it." in page
    assert (order.status, order.lines.get().unit_price) == (OrderStatus.NEEDS_REVIEW, Decimal(-5))
    page = save(client, order, **{"lines-0-unit_price": "0", "_continue": "1"})
    assert "Line 1: the unit price is 0." in page
    assert order.status == OrderStatus.READY


def test_an_order_that_cannot_be_edited_shows_its_numbers_the_same_way(
    client: Client, organization: Organization
) -> None:
    order = make_order(organization, "PO-3", OrderStatus.PUSHED)
    order.lines.update(qty=Decimal("40.000"), unit_price=Decimal("7.3000"))
    page = client.get(page_url(order)).content.decode()
    assert "40.000" not in page
    assert "7.3000" not in page
    assert re.search(r">\s*40\s*<", page)
    assert re.search(r">\s*7\.3\s*<", page)


def test_no_page_has_an_input_that_drops_a_comma(db: None, dropzone_root: Any) -> None:
    """`type=number` does, in silence, in a browser with another decimal separator."""
    tenant = make_tenant("acme")
    order = make_order(tenant.organization, "PO-2", OrderStatus.READY)
    client = log_in(tenant.organization, Role.ADMIN)
    edited = [page_url(row) for row in (*tenant.rows.values(), order)]
    added = [list_url(model, "add") for model in (DraftOrder, ApiToken, ERPConnection)]
    numbers = 0
    for url in (*edited, *added):
        page = client.get(url, follow=True).content.decode()
        numbers += len(re.findall(r'inputmode="(?:decimal|numeric)"', page))
        assert 'type="number"' not in page, url
    assert numbers >= 3 + 3 + 1


@pytest.mark.parametrize(
    ("typed", "stored"), [("2,5", None), ("1.0", 1), ("1_0", None), ("\uff11\uff10", None), ("1.234", None), ("48", 48)]
)
def test_a_connections_numbers_are_whole(connection: ERPConnection, typed: str, stored: int | None) -> None:
    client = log_in(connection.organization, Role.INTEGRATOR)
    data = {
        "name": "Folder", "status": "ACTIVE", "is_default": "on", "config_mode": "filesystem",
        "config_export_path": "in", "config_ack_path": "acks", "config_atomic_write": "on",
        "config_temp_name": "{name}.tmp", "config_timeout_s": "30", "config_port": "22", "config_ack_timeout_h": typed,
    }  # fmt: skip
    page = client.post(page_url(connection), data).content.decode()
    connection.refresh_from_db()
    assert connection.stored_config().get("ack_timeout_h", 24) == (stored or 24)
    assert shown(page, "config_ack_timeout_h") == ("" if stored else typed) if page else stored
