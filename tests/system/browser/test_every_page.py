"""What holds for every page of the admin in the browser."""

from playwright.sync_api import expect

from connectors.models import ERPConnection
from tests.support.tenants import list_url
from tests.system.browser.conftest import PageAs
from tests.system.browser.looks import Gallery


def test_the_list_of_connections(page_as: PageAs, connection: ERPConnection, gallery: Gallery) -> None:
    page = page_as()
    page.goto(list_url(ERPConnection))
    expect(page.get_by_role("link", name="Folder", exact=True)).to_be_visible()
    gallery.look_at(page, "connections")


def test_the_page_to_try_the_api_at(page_as: PageAs) -> None:
    page = page_as()
    page.goto("/api/v1/docs/")
    expect(page.get_by_role("heading", name="OrderFlow")).to_be_visible()
    expect(page.get_by_text("/api/v1/draft-orders/{id}/push/").first).to_be_visible()
