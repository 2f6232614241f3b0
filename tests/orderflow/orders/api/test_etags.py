"""Who changes an order can say which one was seen."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Barrier
from typing import Any

import pytest
from django.db import connection as database
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports.models import ERPExport
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.support.api.problems import problem
from tests.support.threads import another, at_once

ORDERS = "/api/v1/draft-orders/"
LINE = {"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2}
NEW = {"customer": {"erp_customer_number": "TOMSP", "name": "Toms Spezialitäten"}, "currency": "EUR", "lines": [LINE]}
# A call on an order, and the state that it needs.
CHANGES = [
    ("patch", "", {"notes": "mine"}, "READY"),
    ("patch", "", {}, "READY"),
    ("post", "approve/", None, "READY"),
    ("post", "reopen/", None, "REJECTED"),
    ("post", "push/", None, "APPROVED"),
    ("post", "retry-push/", None, "ERROR"),
]
Change = tuple[str, str, Any, str]


@pytest.fixture
def order(make_order: MakeOrder, connection: ERPConnection) -> DraftOrder:
    return make_order(status="READY")


def address(order: DraftOrder) -> str:
    return f"{ORDERS}{order.pk}/"


def etag(api: APIClient, order: DraftOrder) -> str:
    tag: str = api.get(address(order))["ETag"]
    assert tag.startswith('"')
    return tag


def make(change: Change, api: APIClient, order: DraftOrder, if_match: str | None, **headers: str) -> Any:
    method, call, body, _ = change
    named = headers if if_match is None else {"if-match": if_match, **headers}
    return getattr(api, method)(address(order) + call, body, headers=named)


def in_state(change: Change, order: DraftOrder) -> DraftOrder:
    DraftOrder.objects.filter(pk=order.pk).update(status=change[3])
    return order


def test_an_order_that_did_not_change_is_not_sent_again(api: APIClient, order: DraftOrder) -> None:
    tag = etag(api, order)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        response = api.get(address(order), headers={"if-none-match": known})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag), known
    for other in ('"other"', tag.strip('"'), 'W/"other", "x"', ""):
        assert api.get(address(order), headers={"if-none-match": other}).status_code == 200, other
    assert api.get(address(order), headers={"if-match": tag}).status_code == 200
    problem(api.get(address(order), headers={"if-match": '"other"'}), 412, "changed_meanwhile")


EDITS: list[Callable[[DraftOrder], object]] = [
    lambda order: DraftOrder.objects.filter(pk=order.pk).update(notes="x"),
    lambda order: DraftOrder.objects.filter(pk=order.pk).update(status="REJECTED"),
    lambda order: DraftOrder.objects.filter(pk=order.pk).update(erp_order_id="SO-1"),
    lambda order: DraftOrderLine.objects.filter(order=order).update(qty=11),
    lambda order: DraftOrderLine.objects.filter(order=order).delete(),
    lambda order: Customer.objects.filter(draft_orders=order).update(name="Renamed"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_whatever_an_order_shows_changes_its_tag(
    edit: Callable[[DraftOrder], object], api: APIClient, order: DraftOrder
) -> None:
    before = etag(api, order)
    assert etag(api, order) == before
    edit(order)
    assert etag(api, order) != before


def test_what_is_answered_is_the_tag_of_what_is_there_now(api: APIClient, connection: ERPConnection) -> None:
    created = api.post(ORDERS, NEW)
    order = DraftOrder.objects.get()
    assert created["ETag"] == etag(api, order)
    edited = api.patch(address(order), {"notes": "x"}, headers={"if-match": created["ETag"]})
    assert (edited.status_code, edited["ETag"]) == (200, etag(api, order))
    approved = api.post(f"{address(order)}approve/", headers={"if-match": edited["ETag"]})
    assert (approved.status_code, approved["ETag"]) == (200, etag(api, order))
    pushed = api.post(f"{address(order)}push/", headers={"if-match": approved["ETag"]})
    assert pushed.status_code == 202
    assert len({created["ETag"], edited["ETag"], approved["ETag"], etag(api, order)}) == 4


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_order_that_changed_meanwhile_is_left_alone(change: Change, api: APIClient, order: DraftOrder) -> None:
    in_state(change, order)
    seen = etag(api, order)
    DraftOrderLine.objects.update(qty=11)
    before = DraftOrder.objects.values().get()
    for tags in (seen, f'"x", {seen}', 'W/"x"', f"W/{etag(api, order)}", etag(api, order).strip('"'), "nonsense", ""):
        body = problem(make(change, api, order, tags), 412, "changed_meanwhile")
        assert etag(api, order) in body["detail"]
    assert DraftOrder.objects.values().get() == before
    assert not ERPExport.objects.exists()


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("listed", ["{}", '"x", {}', '{} , W/"y"', "*", None])
def test_an_order_that_is_the_one_seen_is_changed(
    change: Change, listed: str | None, api: APIClient, order: DraftOrder
) -> None:
    in_state(change, order)
    response = make(change, api, order, listed and listed.format(etag(api, order)))
    assert response.status_code in (200, 202), response.content


def test_a_push_asked_for_again_by_its_key_is_the_push_that_changed_the_order(
    api: APIClient, order: DraftOrder
) -> None:
    change: Change = ("post", "push/", None, "APPROVED")
    seen = etag(api, in_state(change, order))
    first, again = (make(change, api, order, seen, **{"idempotency-key": "k-1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    problem(make(change, api, order, seen, **{"idempotency-key": "k-2"}), 412, "changed_meanwhile")


def test_another_organizations_order_has_no_tag(api: APIClient, order: DraftOrder) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    DraftOrder.objects.filter(pk=order.pk).update(organization=globex)
    for change in CHANGES:
        problem(make(change, api, order, "*"), 404, "not_found")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES[:1] + CHANGES[2:4], ids=str)
def test_of_many_who_saw_the_same_order_one_changes_it(change: Change, api: APIClient, order: DraftOrder) -> None:
    seen, threads = etag(api, in_state(change, order)), 6
    together = Barrier(threads)

    def try_to_change(number: int) -> Any:
        try:
            together.wait(timeout=30)
            body = {"notes": f"by {number}"} if change[0] == "patch" else None
            return make((change[0], change[1], body, change[3]), api, order, seen)
        finally:
            database.close()

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(try_to_change, range(threads)))
    won = [number for number, answer in enumerate(answers) if answer.status_code in (200, 202)]
    assert len(won) == 1, [answer.status_code for answer in answers]
    for number, answer in enumerate(answers):
        if number not in won:
            problem(answer, 412, "changed_meanwhile")
    order.refresh_from_db()
    if change[0] == "patch":
        assert order.notes == f"by {won[0]}"
    assert ERPExport.objects.count() == (change[1] == "push/")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_of_two_edits_at_once_the_lines_of_one_remain(attempt: int, api: APIClient, order: DraftOrder) -> None:
    """Never lines of both, nor a failure of the server: the second edit waits for the first."""
    lines = {sku: [{**LINE, "line_no": n, "internal_sku": sku} for n in (1, 2, 3)] for sku in ("left", "right")}
    sides: SimpleQueue[str] = SimpleQueue()
    for side in lines:
        sides.put(side)

    def edit() -> int:
        return int(another(api).patch(address(order), {"lines": lines[sides.get()]}).status_code)

    assert at_once(edit, 2) == [200, 200]
    found = list(DraftOrderLine.objects.filter(order=order).values_list("line_no", "internal_sku"))
    assert sorted(found) in [[(n, sku) for n in (1, 2, 3)] for sku in lines]
