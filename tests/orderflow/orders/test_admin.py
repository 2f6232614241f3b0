import html
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from orderflow.orders.forms import DraftOrderForm
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.forms import form_at
from tests.support.admin.order_forms import form_of, save
from tests.support.tenants import list_url, log_in, log_in_superuser, make_order, page_url


@pytest.fixture
def acme(db: None) -> Organization:
    return Organization.objects.create(name="Acme", slug="acme")


@pytest.fixture
def client(acme: Organization) -> Client:
    return log_in(acme, Role.OPS)


@pytest.fixture
def ready(acme: Organization) -> DraftOrder:
    return make_order(acme, "PO-1", OrderStatus.READY)


def run(client: Client, action: str, *orders: DraftOrder) -> str:
    data = {"action": action, "_selected_action": [order.pk for order in orders]}
    return client.post(list_url(DraftOrder), data, follow=True).content.decode()


def test_an_order_with_lines_is_added_and_checked(client: Client, acme: Organization) -> None:
    customer = Customer.objects.create(organization=acme, erp_customer_number="C1", name="Chang")
    data = {
        "customer": customer.pk, "external_order_number": "PO-9", "currency": "EUR",
        "lines-TOTAL_FORMS": 1, "lines-INITIAL_FORMS": 0, "lines-0-line_no": 1, "lines-0-internal_sku": "2",
        "lines-0-qty": "50", "lines-0-uom": "ST", "lines-0-unit_price": "15.2",
    }  # fmt: skip
    assert client.post(list_url(DraftOrder, "add"), data).status_code == 302
    order = DraftOrder.objects.get()
    assert (order.organization, order.status, order.created_by) == (acme, OrderStatus.READY, "ops@acme")
    assert AuditEntry.objects.get(action="add order").actor == "ops@acme"


def test_the_page_says_what_keeps_an_order_from_being_ready(client: Client, ready: DraftOrder) -> None:
    page = save(client, ready, currency="", **{"lines-0-qty": "-1", "_continue": "1"})
    assert ready.status == OrderStatus.NEEDS_REVIEW
    assert "The currency is not set." in page
    assert "Line 1: the quantity is -1; it must be above 0." in page
    assert page_url(ready, "do", "approve") not in page


def test_an_edit_takes_the_approval_back(client: Client, acme: Organization) -> None:
    order = make_order(acme, "PO-1", OrderStatus.READY)
    run(client, "approve", order)
    save(client, order, notes="later")
    assert (order.status, order.approved_by, order.notes) == (OrderStatus.READY, "", "later")
    assert AuditEntry.objects.get(action="edit order").detail == {"changes": "Changed Notes."}


def test_saving_without_a_change_keeps_the_approval(client: Client, ready: DraftOrder) -> None:
    run(client, "approve", ready)
    save(client, ready)
    assert (ready.status, ready.approved_by) == (OrderStatus.APPROVED, "ops@acme")


def test_a_changed_line_takes_the_approval_back(client: Client, ready: DraftOrder) -> None:
    run(client, "approve", ready)
    save(client, ready, **{"lines-0-qty": "11"})
    assert ready.status == OrderStatus.READY


@pytest.mark.parametrize("status", [OrderStatus.PUSHING, OrderStatus.PUSHED, OrderStatus.REJECTED])
def test_an_order_on_its_way_is_shown_and_not_edited(client: Client, acme: Organization, status: str) -> None:
    order = make_order(acme, "PO-1", status)
    page = client.get(page_url(order)).content.decode()
    assert 'name="notes"' not in page
    assert 'name="lines-0-qty"' not in page
    assert client.post(page_url(order), form_of(order, notes="x")).status_code == 403


def test_an_order_that_is_pushed_while_somebody_edits_it_stays_as_it_is(
    client: Client, ready: DraftOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = DraftOrderForm.clean

    def pushed_meanwhile(form: DraftOrderForm) -> dict[str, Any]:
        DraftOrder.objects.filter(pk=ready.pk).update(status=OrderStatus.PUSHING)
        return check(form)

    monkeypatch.setattr(DraftOrderForm, "clean", pushed_meanwhile)
    page = save(client, ready, notes="too late", **{"lines-0-qty": "11"})
    assert "Nothing was saved. Order PO-1 is PUSHING and can no longer be edited." in page
    assert (ready.notes, ready.lines.get().qty) == ("", Decimal(10))


def test_a_superuser_cannot_mix_organizations(ready: DraftOrder, acme: Organization) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    stranger = Customer.objects.create(organization=globex, erp_customer_number="C9", name="Stranger")
    page = save(log_in_superuser(), ready, customer=stranger.pk)
    assert "This customer belongs to another organization than Acme." in page
    assert ready.organization == acme


@pytest.mark.parametrize("field", ["organization", "customer"])
def test_another_organizations_rows_cannot_be_slipped_in(client: Client, ready: DraftOrder, field: str) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    stranger = Customer.objects.create(organization=globex, erp_customer_number="C9", name="Stranger")
    before = ready.customer
    save(client, ready, **{field: globex.pk if field == "organization" else stranger.pk})
    assert (ready.organization.slug, ready.customer) == ("acme", before)


def test_an_order_number_that_the_customer_has_used_is_refused(client: Client, ready: DraftOrder) -> None:
    other = make_order(ready.organization, "PO-2", OrderStatus.READY)
    page = save(client, other, external_order_number="PO-1")
    assert "has an order with this number already." in page
    assert other.external_order_number == "PO-2"


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("currency", "euro", "currency"),
        ("lines-0-qty", "many", "is not a number. Write it as 1234.50 or 1234,50."),
        ("lines-0-line_no", "0", "greater than or equal to 1"),
        ("order_date", "soon", "Write the date as 2026-11-30 or 30.11.2026."),
    ],
)
def test_wrong_input_is_told_at_its_field(
    client: Client, ready: DraftOrder, field: str, value: str, error: str
) -> None:
    page = save(client, ready, notes="not kept", **{field: value})
    assert error in page
    assert ready.notes == ""


def test_a_customer_number_is_taken_once(client: Client, ready: DraftOrder) -> None:
    data = {"erp_customer_number": "C1", "name": "Again"}
    page = client.post(list_url(Customer, "add"), data)
    assert "already exists" in page.content.decode()
    assert Customer.objects.count() == 1


def test_approving_many_counts_and_names_what_it_refuses(client: Client, acme: Organization) -> None:
    orders = [make_order(acme, f"PO-{n}", OrderStatus.READY) for n in range(3)]
    DraftOrderLine.objects.filter(order=orders[1]).update(qty=0)
    pushed = make_order(acme, "PO-P", OrderStatus.PUSHED)
    page = run(client, "approve", *orders, pushed)
    assert "2 orders approved." in page
    assert "2 refused." in page
    assert "Order PO-1 cannot be approved: Line 1: the quantity is 0; it must be above 0." in page
    assert "Order PO-P is PUSHED" in page
    assert DraftOrder.objects.filter(status=OrderStatus.APPROVED).count() == 2


def test_of_many_refusals_some_are_told_and_the_rest_is_counted(client: Client, acme: Organization) -> None:
    orders = [make_order(acme, f"PO-{n}", OrderStatus.PUSHED) for n in range(13)]
    page = run(client, "approve", *orders)
    assert "13 refused." in page
    assert "And 3 more." in page


def test_rejecting_leaves_out_what_is_on_its_way(client: Client, ready: DraftOrder, acme: Organization) -> None:
    page = run(client, "reject", ready, make_order(acme, "PO-P", OrderStatus.PUSHING))
    ready.refresh_from_db()
    assert ready.status == OrderStatus.REJECTED
    assert "1 order rejected." in page
    assert "Order PO-P is PUSHING and cannot be rejected." in page


def test_a_button_does_the_same_and_leads_back_to_the_page(client: Client, ready: DraftOrder) -> None:
    assert page_url(ready, "do", "approve") in client.get(page_url(ready)).content.decode()
    response = client.post(page_url(ready, "do", "approve"))
    assert response["Location"] == page_url(ready)
    ready.refresh_from_db()
    assert ready.status == OrderStatus.APPROVED


def test_who_may_not_approve_is_shown_no_button(ready: DraftOrder, acme: Organization) -> None:
    """S14."""
    page = log_in(acme, Role.INTEGRATOR).get(page_url(ready)).content.decode()
    assert "/do/" not in page


def test_a_long_order_is_edited_page_by_page(client: Client, ready: DraftOrder) -> None:
    DraftOrderLine.objects.bulk_create(
        DraftOrderLine(order=ready, line_no=n, internal_sku=str(n), qty=1, uom="ST") for n in range(2, 501)
    )
    page = client.get(page_url(ready)).content.decode()
    assert 'name="lines-49-qty"' in page
    assert 'name="lines-50-qty"' not in page


def test_a_search_finds_by_number_and_customer(client: Client, ready: DraftOrder) -> None:
    make_order(ready.organization, "OTHER", OrderStatus.READY)
    page = client.get(list_url(DraftOrder), {"q": "PO-1"}).content.decode()
    assert page_url(ready) in page
    assert "OTHER" not in page
    assert page_url(ready) in client.get(list_url(DraftOrder), {"q": "customer of acme"}).content.decode()


def test_a_rejected_order_is_reopened_by_its_button(client: Client, acme: Organization) -> None:
    """B49."""
    order = make_order(acme, "PO-1", OrderStatus.REJECTED)
    assert page_url(order, "do", "reopen") in client.get(page_url(order)).content.decode()
    page = client.post(page_url(order, "do", "reopen"), follow=True).content.decode()
    order.refresh_from_db()
    assert order.status == OrderStatus.READY
    assert "1 order reopened." in page
    assert page_url(order, "do", "reopen") not in page
    assert page_url(order, "do", "approve") in page


def test_an_order_whose_number_was_taken_stays_rejected_and_the_page_says_why(
    client: Client, acme: Organization
) -> None:
    """B49. The form and the list as well."""
    rejected = make_order(acme, "PO-1", OrderStatus.REJECTED)
    other = make_order(acme, "PO-2", OrderStatus.READY)
    save(client, other, external_order_number="PO-1")
    assert other.external_order_number == "PO-1"
    text = "has another order with this number now. Continue with that one, or reject it and then reopen this one."
    assert text in client.post(page_url(rejected, "do", "reopen"), follow=True).content.decode()
    assert text in run(client, "reopen", rejected)
    rejected.refresh_from_db()
    assert rejected.status == OrderStatus.REJECTED
    third = make_order(acme, "PO-3", OrderStatus.READY)
    assert "has an order with this number already" in save(client, third, external_order_number="PO-1")


def test_lines_without_a_number_are_numbered(client: Client, acme: Organization) -> None:
    """A8. Around the numbers that are given; a number that is given twice is still refused."""
    page = client.get(list_url(DraftOrder, "add")).content.decode()
    assert 'name="lines-0-line_no"' in page
    numbers = ("", "1", "", "4", "")
    data: dict[str, Any] = {"currency": "EUR", "lines-TOTAL_FORMS": len(numbers) + 1, "lines-INITIAL_FORMS": 0}
    for place, number in enumerate(numbers):
        line = {"line_no": number, "internal_sku": f"S{place}", "qty": "1", "uom": "ST", "unit_price": "1"}
        data |= {f"lines-{place}-{name}": value for name, value in line.items()}
    # The last one as the browser sends a line that nobody filled in.
    empty = form_at(client, list_url(DraftOrder, "add"), id="draftorder_form")
    data |= {name.replace("-0-", "-5-"): value for name, value in empty.fields.items() if "lines-0-" in name}
    assert client.post(list_url(DraftOrder, "add"), data).status_code == 302
    lines = DraftOrder.objects.get().lines.values_list("internal_sku", "line_no")
    assert dict(lines) == {"S0": 2, "S1": 1, "S2": 3, "S3": 4, "S4": 5}
    again = client.post(list_url(DraftOrder, "add"), data | {"lines-0-line_no": "4"})
    assert (again.status_code, DraftOrder.objects.count()) == (200, 1)


def test_a_line_that_is_added_later_gets_the_next_number(client: Client, ready: DraftOrder) -> None:
    new = {"line_no": "", "internal_sku": "S2", "qty": "1", "uom": "ST", "unit_price": "1"}
    save(client, ready, **{"lines-TOTAL_FORMS": 2, **{f"lines-1-{name}": value for name, value in new.items()}})
    assert dict(ready.lines.values_list("internal_sku", "line_no")) == {"42": 1, "S2": 2}


def test_a_customer_that_is_added_from_the_order_is_chosen_there(client: Client, acme: Organization) -> None:
    """A8."""
    page = client.get(list_url(DraftOrder, "add")).content.decode()
    address = html.unescape(page.partition("Not there yet?")[2].partition('href="')[2].partition('"')[0])
    assert address.startswith(list_url(Customer, "add"))
    added = client.post(address, {"erp_customer_number": "C9", "name": "Chang"})
    customer = Customer.objects.get()
    assert added["Location"] == f"{list_url(DraftOrder, 'add')}?customer={customer.pk}"
    assert f'<option value="{customer.pk}" selected>C9 Chang</option>' in client.get(added["Location"]).content.decode()
