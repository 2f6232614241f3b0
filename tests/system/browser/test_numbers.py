"""What people type for numbers, in browsers of two languages, is what is stored."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import list_url, make_order, make_user, page_url
from tests.system.browser.visits import visit


@pytest.fixture(params=["en-US", "de-DE"])
def page(
    request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer, organization: Organization
) -> Iterator[Page]:
    person = make_user(organization, Role.OPS, "olga@acme")
    visited = visit(chromium, live_server.url, person, locale=request.param)
    yield visited.page
    visited.end()


def type_line(page: Page, **texts: str) -> None:
    """By the keyboard, as people do: what an input drops, it drops."""
    for name, text in texts.items():
        field = page.locator(f"#id_lines-0-{name}")
        field.clear()
        field.press_sequentially(text)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save and continue editing").click()


def test_commas_and_points_are_read_as_they_were_meant(page: Page, organization: Organization) -> None:
    order = make_order(organization, "PO-1", OrderStatus.READY)
    page.goto(page_url(order))
    expect(page.locator("#id_lines-0-qty")).to_have_value("10")
    type_line(page, qty="3,5", unit_price="18,90")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    line = order.lines.get()
    assert (line.qty, line.unit_price) == (Decimal("3.5"), Decimal("18.9"))
    expect(page.locator("#id_lines-0-qty")).to_have_value("3.5")
    expect(page.locator("#id_lines-0-unit_price")).to_have_value("18.9")
    type_line(page, qty="1.234,50", unit_price="18.90")
    save(page)
    expect(page.locator("#id_lines-0-qty")).to_have_value("1234.5")
    line.refresh_from_db()
    assert (line.qty, line.unit_price) == (Decimal("1234.5"), Decimal("18.9"))


def test_a_number_with_two_readings_is_asked_about_and_kept_as_it_was_typed(
    page: Page, organization: Organization
) -> None:
    order = make_order(organization, "PO-1", OrderStatus.READY)
    page.goto(page_url(order))
    type_line(page, qty="1.234")
    save(page)
    expect(page.get_by_text("'1.234' is ambiguous. Write 1234 or 1.2340.")).to_be_visible()
    expect(page.locator("#id_lines-0-qty")).to_have_value("1.234")
    assert order.lines.get().qty == Decimal(10)
    type_line(page, qty="1.2340")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    # Ambiguous without the last digit.
    expect(page.locator("#id_lines-0-qty")).to_have_value("1.2340")
    assert order.lines.get().qty == Decimal("1.234")


def test_a_new_order_takes_a_comma(page: Page, organization: Organization) -> None:
    Customer.objects.create(organization=organization, erp_customer_number="C1", name="Ernst Handel")
    page.goto(list_url(DraftOrder, "add"))
    page.locator("#id_currency").fill("EUR")
    page.get_by_text("Add another line").click()
    type_line(page, line_no="1", internal_sku="42", qty="3,5", uom="ST", unit_price="18,90")
    save(page)
    expect(page.get_by_text("was added successfully")).to_be_visible()
    line = DraftOrder.objects.get().lines.get()
    assert (line.qty, line.unit_price) == (Decimal("3.5"), Decimal("18.9"))
