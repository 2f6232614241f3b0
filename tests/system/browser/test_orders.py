"""The page of an order in the browser: its dates, and the connection that its push goes over."""

from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from connectors.models import ERPConnection
from exports.models import ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import list_url, make_user, page_url
from tests.system.browser.conftest import PageAs
from tests.system.browser.looks import Gallery
from tests.system.browser.visits import visit


def test_a_date_has_no_warning_about_the_servers_clock(
    chromium: Browser, live_server: LiveServer, organization: Organization
) -> None:
    """A7. Of a person whose clock is hours ahead of the server's."""
    person = make_user(organization, Role.OPS, "olga@acme")
    visited = visit(chromium, live_server.url, person, timezone_id="Asia/Tokyo")
    page = visited.page
    page.goto(list_url(DraftOrder, "add"))
    # The shortcuts are there, so the script that would warn has run.
    expect(page.locator(".datetimeshortcuts").first).to_be_visible()
    expect(page.locator(".timezonewarning")).to_have_count(0)
    visited.end()


def test_a_push_without_a_default_waits_for_the_choice_of_a_connection(
    page_as: PageAs, connection: ERPConnection, make_order: MakeOrder, gallery: Gallery
) -> None:
    """A8. The browser itself asks for it."""
    ERPConnection.objects.update(is_default=False)
    page = page_as(Role.OPS)
    page.goto(page_url(make_order()))
    expect(page.get_by_text("Acme has no default connection. Choose one beside the button.")).to_be_visible()
    gallery.look_at(page, "push-without-default")
    page.get_by_role("button", name="Push").click()
    assert not ERPExport.objects.exists()
    page.get_by_role("combobox", name="Connection").select_option("Folder")
    page.get_by_role("button", name="Push").click()
    expect(page.get_by_text("1 order pushed.")).to_be_visible()
    assert ERPExport.objects.get().connection == connection


def test_error_pages_and_histories_look_like_the_others(
    chromium: Browser, live_server: LiveServer, organization: Organization, make_order: MakeOrder, gallery: Gallery
) -> None:
    """A13, A11."""
    visited = visit(chromium, live_server.url, make_user(organization, Role.VIEWER, "vera@acme"))
    page, order = visited.page, make_order()
    page.goto(page_url(order, "history"))
    gallery.look_at(page, "history")
    page.goto("/admin/nothing/", referer=f"{live_server.url}{page_url(order)}")
    # Of a page that is not there, the browser complains too.
    [trouble] = visited.troubles
    assert "404" in trouble
    visited.troubles.clear()
    gallery.look_at(page, "not-found")
    page.get_by_role("link", name="Back", exact=False).last.click()
    expect(page.get_by_text("TOMSP").first).to_be_visible()
    visited.end()
