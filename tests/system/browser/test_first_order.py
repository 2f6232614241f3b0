"""From an empty installation to the first order that the ERP acknowledged, by a person who has a browser only."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from orderflow.keys import fresh_keys
from tests.servers.redis import wait_until_listening
from tests.support.installation import PASSWORD, Installation, eventually
from tests.system.browser.looks import HEIGHT, WIDE
from tests.system.browser.visits import Visit

MOST_CLICKS = 40


@dataclass(kw_only=True)
class Person:
    """Clicks what is visible and counts it; addresses are never typed after the first."""

    page: Page
    clicks: int = 0

    def click(self, what: Locator) -> None:
        expect(what).to_be_visible()
        what.click()
        self.clicks += 1

    def press(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def follow(self, name: str, *, exact: bool = True) -> None:
        self.click(self.page.get_by_role("link", name=name, exact=exact).first)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Migrated, with a superuser and nothing else; gunicorn, worker and beat are running."""
    dropzones = str(tmp_path / "data" / "dropzones")
    settings = {**fresh_keys(), "DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DROPZONE_ROOT": dropzones}
    site = Installation(folder=tmp_path, settings=settings)
    site.manage("migrate", "--noinput")
    site.manage("createsuperuser", "--noinput", "--username", "root", "--email", "root@acme.example")
    try:
        for name in ("web", "worker", "beat"):
            site.start(name)
        wait_until_listening(site.port, 60)
        yield site
    finally:
        site.stop()


@pytest.fixture
def person(installation: Installation, chromium: Browser) -> Iterator[Person]:
    host = f"127.0.0.1:{installation.port}"
    context = chromium.new_context(base_url=f"http://{host}", viewport={"width": WIDE, "height": HEIGHT})
    context.set_default_timeout(20_000)
    visit = Visit(page=context.new_page(), host=host)
    visit.watch()
    yield Person(page=visit.page)
    visit.end()


def acknowledge(dropzone: Path) -> None:
    """As the ERP does, once it finds a file."""
    [order] = eventually(lambda: list((dropzone / "in").glob("*.json")), within_s=60, what="the order's file")
    ack = {"status": "ACKED", "erp_order_id": "SO-1", "processed_at": "2026-11-23T10:01:00Z"}
    (dropzone / "acks" / f"ack_{order.name}").write_text(json.dumps(ack))


def test_a_person_with_only_a_browser_gets_the_first_order_acknowledged(
    person: Person, installation: Installation
) -> None:
    """A8. No shell after the start, no dead end."""
    page = person.page
    page.goto("/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    person.click(page.get_by_role("button", name="Log in"))

    person.follow("Create the organization", exact=False)
    page.get_by_label("Name", exact=False).first.press_sequentially("Bäckerei Öller")
    expect(page.get_by_label("Slug")).to_have_value("backerei-oller")
    person.press("Save")

    person.follow("Add a connection", exact=False)
    page.get_by_label("Name").fill("ERP")
    person.press("Continue")
    page.locator("#id_config_mode").select_option("filesystem")
    page.locator("#id_config_export_path").fill("in")
    page.locator("#id_config_ack_path").fill("acks")
    person.press("Save")
    expect(page.get_by_text("ERP is the default connection of Bäckerei Öller")).to_be_visible()
    person.click(page.get_by_role("button", name="Create the folders"))
    person.click(page.get_by_role("button", name="Test connection"))
    expect(page.locator("#connection-test")).to_contain_text("The stored connection works", timeout=60_000)

    person.follow("Dashboard", exact=False)
    person.follow("Enter an order", exact=False)
    person.follow("Add the customer")
    page.get_by_label("ERP customer number").fill("K10002")
    page.get_by_label("Name").fill("Café Zürich")
    person.press("Save")
    expect(page.locator("#id_customer")).to_contain_text("K10002 Café Zürich")
    page.get_by_label("External order number").fill("WS-1")
    page.get_by_label("Currency", exact=True).first.fill("EUR")
    for name, text in {"internal_sku": "42", "qty": "3,5", "uom": "KG", "unit_price": "18,90"}.items():
        page.locator(f"#id_lines-0-{name}").fill(text)
    person.press("Save")

    person.follow("Dashboard", exact=False)
    person.follow("Open order WS-1", exact=False)
    person.click(page.get_by_role("button", name="Approve"))
    expect(page.get_by_label("Connection", exact=True)).to_contain_text("ERP (default)")
    person.click(page.get_by_role("button", name="Push"))
    acknowledge(installation.folder / "data" / "dropzones" / "backerei-oller")
    person.follow("sales_order_", exact=False)

    def is_acked() -> bool:
        page.reload()
        return page.get_by_text("The ERP has it as SO-1").is_visible()

    eventually(is_acked, within_s=60, what="the acknowledgement on the page")
    person.follow("Dashboard", exact=False)
    expect(page.get_by_text("Oldest pending")).to_be_visible()
    assert person.clicks <= MOST_CLICKS
