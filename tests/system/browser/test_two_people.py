"""Two people with the same page open: the second one is shown what the first one did, and overwrites nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db.models import Model
from playwright.sync_api import Page, expect

from connectors.models import ConnectionTest, ERPConnection
from exports.models import ERPExport
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.support.tenants import list_url, page_url
from tests.system.browser.conftest import PageAs
from tests.system.browser.looks import Gallery


@dataclass(frozen=True)
class Form:
    """What one of the two enters, and saves."""

    fields: dict[str, str]

    def use(self, page: Page) -> None:
        for name, value in self.fields.items():
            control = page.locator(f"#{name}")
            if control.evaluate("control => control.tagName") == "SELECT":
                control.select_option(value)
            else:
                control.fill(value)
        page.get_by_role("button", name="Save", exact=True).click()


@dataclass(frozen=True)
class Button:
    label: str

    def use(self, page: Page) -> None:
        # Its icon is part of the name.
        page.get_by_role("button", name=self.label).click()


@dataclass(frozen=True)
class Case:
    """On the row `what`: `first` is done, and `second`, on a page that was loaded before, is not."""

    what: str
    first: Form | Button
    second: Form | Button
    after: dict[str, str] = field(default_factory=dict)


QTY, NOTES = Form({"id_lines-0-qty": "1000"}), Form({"id_notes": "call first"})
CASES = [
    Case("ready", QTY, NOTES, {"qty": "1000.000", "notes": "", "status": "READY"}),
    Case("ready", NOTES, QTY, {"qty": "10.000", "notes": "call first", "status": "READY"}),
    Case("ready", QTY, Button("Approve"), {"qty": "1000.000", "status": "READY"}),
    Case("ready", NOTES, Button("Reject"), {"status": "READY"}),
    Case("ready", Button("Approve"), QTY, {"qty": "10.000", "status": "APPROVED"}),
    Case("ready", Button("Reject"), Button("Approve"), {"status": "REJECTED"}),
    Case("ready", Button("Approve"), Button("Reject"), {"status": "APPROVED"}),
    Case("ready", Button("Reject"), NOTES, {"notes": "", "status": "REJECTED"}),
    Case("approved", QTY, Button("Push"), {"qty": "1000.000", "status": "READY"}),
    Case("approved", Button("Push"), NOTES, {"notes": "", "status": "PUSHING"}),
    Case("approved", Button("Push"), Button("Reject"), {"status": "PUSHING"}),
    Case("customer", Form({"id_name": "Chang"}), Form({"id_erp_customer_number": "C9"}), {"name": "Chang"}),
    Case("connection", Form({"id_config_export_path": "orders"}), Form({"id_name": "ERP 2"}), {"name": "Folder"}),
    Case("connection", Form({"id_status": "DISABLED"}), Button("Test connection"), {"status": "DISABLED"}),
    Case("organization", Form({"id_name": "Acme Ltd"}), Form({"id_name": "Acme Inc"}), {"name": "Acme Ltd"}),
]


def named(case: Case) -> str:
    acts = (act.label if isinstance(act, Button) else "-".join(act.fields) for act in (case.first, case.second))
    return f"{case.what}: {', then '.join(acts)}"


@pytest.fixture
def rows(make_order: MakeOrder, connection: ERPConnection, organization: Organization) -> dict[str, Model]:
    ready = make_order(status="READY")
    assert ready.customer is not None
    return {
        "ready": ready,
        "approved": make_order(),
        "customer": ready.customer,
        "connection": connection,
        "organization": organization,
    }


def stored(row: Any) -> dict[str, str]:
    row.refresh_from_db()
    found = {name: str(getattr(row, name)) for name in ("name", "notes", "status") if hasattr(row, name)}
    if isinstance(row, DraftOrder):
        found["qty"] = str(row.lines.get().qty)
    if isinstance(row, ERPConnection):
        found["config"] = str(row.stored_config())
    if isinstance(row, Customer):
        found["number"] = row.erp_customer_number
    return found


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_second_of_two_overwrites_nothing_and_does_nothing_unseen(
    case: Case, page_as: PageAs, rows: dict[str, Model]
) -> None:
    row = rows[case.what]
    ada, bob = page_as(), page_as()
    for page in (ada, bob):
        page.goto(page_url(row))
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
    case.first.use(ada)
    expect(ada.locator("body")).not_to_contain_text("Nothing was")
    after, exports = stored(row), ERPExport.objects.count()
    assert {name: after[name] for name in case.after} == case.after

    case.second.use(bob)
    told = "Nothing was saved" if isinstance(case.second, Form) else "Nothing was"
    expect(bob.locator("body")).to_contain_text(told)
    expect(bob.locator("body")).to_contain_text("by admin-")
    assert stored(row) == after
    assert (ERPExport.objects.count(), ConnectionTest.objects.count()) == (exports, 0)


SAVES: list[tuple[str, Form, Form, Callable[[Any], Any], Any]] = [
    ("ready", QTY, NOTES, lambda row: (f"{row.lines.get().qty:f}", row.notes), ("1000.000", "call first")),
    (
        "customer",
        Form({"id_name": "Chang"}),
        Form({"id_erp_customer_number": "C9"}),
        lambda row: (row.name, row.erp_customer_number),
        ("Chang", "C9"),
    ),
    (
        "connection",
        Form({"id_config_export_path": "orders"}),
        Form({"id_name": "ERP 2"}),
        lambda row: (row.stored_config()["export_path"], row.name),
        ("orders", "ERP 2"),
    ),
]


@pytest.mark.parametrize("save", SAVES, ids=[save[0] for save in SAVES])
def test_what_was_entered_stays_and_is_saved_by_a_second_click(
    save: tuple[str, Form, Form, Callable[[Any], Any], Any], page_as: PageAs, rows: dict[str, Any], gallery: Gallery
) -> None:
    what, first, second, read, both = save
    row = rows[what]
    ada, bob = page_as(), page_as()
    for page in (ada, bob):
        page.goto(page_url(row))
    first.use(ada)
    expect(ada.get_by_text("was changed successfully")).to_be_visible()
    second.use(bob)
    expect(bob.locator("#conflict")).to_contain_text("Not changed by you")
    for name, value in second.fields.items():
        expect(bob.locator(f"#{name}")).to_have_value(value)
    gallery.look_at(bob, f"conflict-{what}")
    bob.get_by_role("button", name="Save", exact=True).click()
    expect(bob.get_by_text("was changed successfully")).to_be_visible()
    row.refresh_from_db()
    assert read(row) == both


def test_a_new_line_survives_a_conflict(page_as: PageAs, rows: dict[str, Any]) -> None:
    order = rows["ready"]
    ada, bob = page_as(), page_as()
    for page in (ada, bob):
        page.goto(page_url(order))
    bob.get_by_role("link", name="Add another line").click()
    for name, value in {"line_no": "2", "internal_sku": "99", "qty": "7", "uom": "ST", "unit_price": "1"}.items():
        bob.locator(f"#id_lines-1-{name}").fill(value)
    QTY.use(ada)
    expect(ada.get_by_text("was changed successfully")).to_be_visible()
    bob.get_by_role("button", name="Save", exact=True).click()
    expect(bob.locator("#conflict")).to_be_visible()
    expect(bob.locator("#id_lines-1-internal_sku")).to_have_value("99")
    bob.get_by_role("button", name="Save", exact=True).click()
    expect(bob.get_by_text("was changed successfully")).to_be_visible()
    assert [(line.internal_sku, str(line.qty)) for line in order.lines.all()] == [("42", "1000.000"), ("99", "7.000")]


def test_a_list_that_is_out_of_date_approves_only_what_it_shows(page_as: PageAs, make_order: MakeOrder) -> None:
    orders = [make_order(status="READY") for _ in range(3)]
    ada, bob = page_as(), page_as()
    bob.goto(list_url(DraftOrder))
    ada.goto(page_url(orders[1]))
    QTY.use(ada)
    expect(ada.get_by_text("was changed successfully")).to_be_visible()
    bob.locator("#action-toggle").check()
    bob.locator("select[name=action]").select_option(label="Approve")
    bob.get_by_role("button", name="Run").click()
    expect(bob.get_by_text("2 orders approved.")).to_be_visible()
    expect(bob.get_by_text("1 left out, changed since the list was loaded.")).to_be_visible()
    assert [stored(order)["status"] for order in orders] == ["APPROVED", "READY", "APPROVED"]


def test_back_and_save_once_more_is_no_conflict(page_as: PageAs, rows: dict[str, Any]) -> None:
    order, page = rows["ready"], page_as()
    page.goto(page_url(order))
    NOTES.use(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.go_back()
    expect(page.locator("#id_notes")).to_have_value("call first")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).not_to_contain_text("Nothing was")
    assert stored(order)["notes"] == "call first"


def test_a_double_click_saves_once(page_as: PageAs, rows: dict[str, Any]) -> None:
    order, page = rows["ready"], page_as()
    page.goto(page_url(order))
    page.locator("#id_notes").fill("call first")
    page.get_by_role("button", name="Save", exact=True).dblclick()
    expect(page.get_by_text("saved already").or_(page.get_by_text("was changed successfully")).first).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Nothing was")
    assert stored(order)["notes"] == "call first"
