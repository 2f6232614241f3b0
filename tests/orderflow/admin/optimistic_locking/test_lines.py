"""Rows of inline forms that somebody else changed, added, deleted or replaced while a person had the page open."""

from typing import Any

import pytest
from django.test import Client

from exports.incidents.models import Recipient
from orderflow.orders import approval, editing
from orderflow.orders.models import DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.forms import Form, form_at, form_in
from tests.support.tenants import make_order, make_user, page_url

FORM = "draftorder_form"


@pytest.fixture
def order(db: None) -> DraftOrder:
    """Of two lines."""
    row = make_order(Organization.objects.create(name="Acme", slug="acme"), "PO-1", OrderStatus.READY)
    DraftOrderLine.objects.create(order=row, line_no=2, internal_sku="43", qty=5, uom="ST")
    return row


@pytest.fixture
def bob(order: DraftOrder) -> Client:
    client = Client()
    client.force_login(make_user(order.organization, Role.ADMIN, "bob"))
    return client


@pytest.fixture
def form(bob: Client, order: DraftOrder) -> Form:
    return form_at(bob, page_url(order), id=FORM)


def send(bob: Client, order: DraftOrder, form: Form, **entered: Any) -> str:
    return bob.post(page_url(order), form.data(**entered), follow=True).content.decode()


def lines(order: DraftOrder) -> list[tuple[int, str, str]]:
    return [(line.line_no, line.internal_sku, f"{line.qty:f}".rstrip("0").rstrip(".")) for line in order.lines.all()]


def qty(value: str, **more: str) -> dict[str, str]:
    return {"lines-0-qty": value, **{name.replace("__", "-"): text for name, text in more.items()}}


NEW_LINE = {
    "lines-TOTAL_FORMS": "3", "lines-2-line_no": "3", "lines-2-internal_sku": "44", "lines-2-qty": "7",
    "lines-2-uom": "ST", "lines-2-unit_price": "1",
}  # fmt: skip


def test_a_line_that_somebody_changed_is_shown_beside_what_was_entered(
    bob: Client, order: DraftOrder, form: Form
) -> None:
    order.lines.filter(line_no=1).update(qty=11)
    order.lines.filter(line_no=2).update(qty=6)
    page = send(bob, order, form, **qty("1000"))
    assert lines(order) == [(1, "42", "11"), (2, "43", "6")]
    assert [" ".join(row.split()) for row in rows_told(page)] == [
        "1. 42: Quantity | 1000 | 11", "2. 43: Quantity | Not changed by you | 6",
    ]  # fmt: skip
    again = form_in(page, id=FORM)
    assert (again.fields["lines-0-qty"], again.fields["lines-1-qty"]) == (["1000"], ["6"])
    send(bob, order, again)
    assert lines(order) == [(1, "42", "1000"), (2, "43", "6")]


def rows_told(page: str) -> list[str]:
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    texts = []
    for row in table.split("</tr>")[:-1]:
        cells = [cell.rpartition(">")[2] for cell in row.replace("</th>", "</td>").split("</td>")[:-1]]
        texts.append(" | ".join(cells))
    return texts


def test_a_line_that_somebody_added_is_shown(bob: Client, order: DraftOrder, form: Form) -> None:
    DraftOrderLine.objects.create(order=order, line_no=0, internal_sku="41", qty=1, uom="ST")
    page = send(bob, order, form, **qty("1000"))
    assert "0. 41 | Not changed by you | Added" in rows_told(page)
    again = form_in(page, id=FORM)
    assert [again.fields[f"lines-{n}-internal_sku"] for n in range(3)] == [["41"], ["42"], ["43"]]
    assert again.fields["lines-1-qty"] == ["1000"]
    send(bob, order, again, **{"lines-0-line_no": "9"})
    assert lines(order) == [(1, "42", "1000"), (2, "43", "5"), (9, "41", "1")]


def test_what_was_entered_in_a_line_that_somebody_deleted_is_kept_as_a_new_one(
    bob: Client, order: DraftOrder, form: Form
) -> None:
    order.lines.all().delete()
    page = send(bob, order, form, **qty("1000"))
    assert rows_told(page) == ["Line 1 | Kept below, as a new row | Deleted", "Line 2 | Not changed by you | Deleted"]
    again = form_in(page, id=FORM)
    assert (again.fields["lines-INITIAL_FORMS"], again.fields["lines-TOTAL_FORMS"]) == (["0"], ["1"])
    send(bob, order, again)
    assert lines(order) == [(1, "42", "1000")]


def test_a_new_line_is_kept(bob: Client, order: DraftOrder, form: Form) -> None:
    order.lines.filter(line_no=1).delete()
    page = send(bob, order, form, **NEW_LINE)
    assert lines(order) == [(2, "43", "5")]
    send(bob, order, form_in(page, id=FORM))
    assert lines(order) == [(2, "43", "5"), (3, "44", "7")]


def test_a_new_line_is_added_once_by_a_double_click(bob: Client, order: DraftOrder, form: Form) -> None:
    send(bob, order, form, **NEW_LINE)
    assert "saved already" in send(bob, order, form, **NEW_LINE)
    assert lines(order) == [(1, "42", "10"), (2, "43", "5"), (3, "44", "7")]


def test_a_box_that_deletes_a_line_stays_ticked(bob: Client, order: DraftOrder, form: Form) -> None:
    order.lines.filter(line_no=1).update(qty=11)
    page = send(bob, order, form, **{"lines-0-DELETE": "on"})
    again = form_in(page, id=FORM)
    assert again.fields["lines-0-DELETE"] == ["on"]
    send(bob, order, again)
    assert lines(order) == [(2, "43", "5")]


def test_lines_that_the_api_replaced_are_known_by_their_number(bob: Client, order: DraftOrder, form: Form) -> None:
    """The API's edit of lines makes new rows of all of them."""
    new = [{"line_no": n, "internal_sku": sku, "qty": 20, "uom": "ST"} for n, sku in ((1, "42"), (2, "99"))]
    editing.edit(order, {"lines": new}, actor="shop")
    page = send(bob, order, form, **qty("1000"), notes="call first")
    assert "Edit order by shop at" in page
    assert lines(order) == [(1, "42", "20"), (2, "99", "20")]
    send(bob, order, form_in(page, id=FORM))
    order.refresh_from_db()
    assert lines(order) == [(1, "42", "1000"), (2, "99", "20")]
    assert order.notes == "call first"


def test_wrong_input_is_told_together_with_the_conflict(bob: Client, order: DraftOrder, form: Form) -> None:
    DraftOrder.objects.filter(pk=order.pk).update(notes="theirs")
    page = send(bob, order, form, **qty("many"))
    assert "Nothing was saved" in page
    assert form_in(page, id=FORM).fields["lines-0-qty"] == ["many"]
    assert form_in(page, id=FORM).fields["notes"] == ["theirs"]


@pytest.mark.parametrize("status", ["PUSHING", "PUSHED", "REJECTED"])
def test_an_order_that_is_gone_for_editing_shows_what_was_entered(
    bob: Client, order: DraftOrder, form: Form, status: str
) -> None:
    DraftOrder.objects.filter(pk=order.pk).update(status=status)
    page = send(bob, order, form, **qty("1000"), notes="call first")
    assert "It can no longer be edited." in page
    assert rows_told(page) == ["Notes | call first | See below", "Lines 1 qty | 1000 | See below"]
    assert lines(order) == [(1, "42", "10"), (2, "43", "5")]


def test_an_order_that_was_approved_meanwhile_keeps_its_approval(bob: Client, order: DraftOrder, form: Form) -> None:
    """Until the person saves on top of it, having seen it."""
    approval.approve(order, "carol")
    page = send(bob, order, form, notes="call first")
    order.refresh_from_db()
    assert (order.status, order.notes) == ("APPROVED", "")
    assert "Approve by carol at" in page
    send(bob, order, form_in(page, id=FORM))
    order.refresh_from_db()
    assert (order.status, order.notes) == ("READY", "call first")


def test_a_recipient_that_somebody_added_stays(bob: Client, order: DraftOrder) -> None:
    acme = order.organization
    form = form_at(bob, page_url(acme), id="organization_form")
    Recipient.objects.create(organization=acme, email="other@acme.example")
    mine = {"notice_recipients-TOTAL_FORMS": "1", "notice_recipients-0-email": "mine@acme.example"}
    page = bob.post(page_url(acme), form.data(**mine), follow=True).content.decode()
    assert Recipient.objects.count() == 1
    again = form_in(page, id="organization_form")
    bob.post(page_url(acme), again.data())
    assert set(Recipient.objects.values_list("email", flat=True)) == {"other@acme.example", "mine@acme.example"}


def test_values_that_make_no_sense_are_taken_for_the_persons_own(bob: Client, order: DraftOrder, form: Form) -> None:
    """Whoever sends them sees the conflict all the same."""
    DraftOrder.objects.filter(pk=order.pk).update(notes="theirs")
    for values in ("", "null", "[]", "{", '{"notes": 1}', '{"notes": [null]}'):
        page = send(bob, order, form, _seen_values=values)
        assert "Nothing was saved" in page
        assert form_in(page, id=FORM).fields["notes"] in ([""], ["theirs"])
    for seen in ("x", "x.", ".1", f"x.{'9' * 30}", "x.-1", "x.²"):
        assert "Nothing was saved" in send(bob, order, form, _seen=seen)
    broken = {"lines-TOTAL_FORMS": "x", "lines-0-id": "x", "lines-1-id": "99999999999999999999999"}
    assert "Nothing was saved" in send(bob, order, form, _seen="x", **broken)
