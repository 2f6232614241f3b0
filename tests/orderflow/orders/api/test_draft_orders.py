from typing import Any

import pytest
from rest_framework.test import APIClient

from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.tenancy.models import AuditEntry, Organization
from tests.conftest import ApiAs, MakeOrder
from tests.support.api.problems import posted, problem

ORDERS = "/api/v1/draft-orders/"
LINE = {"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2, "description": "Chang"}
CHEF_ANTON = {"erp_customer_number": "TOMSP", "name": "Toms Spezialitäten"}
ORDER: dict[str, Any] = {
    "external_order_number": "PO-10258",
    "customer": CHEF_ANTON,
    "order_date": "1996-07-17",
    "currency": "EUR",
    "requested_delivery_date": "1996-08-14",
    "lines": [LINE],
    "source_document": {"document_id": "d-1", "file_name": "order.pdf", "sha256": "ab" * 32},
}


def created(api: APIClient, **changes: Any) -> dict[str, Any]:
    response = api.post(ORDERS, ORDER | changes)
    assert response.status_code == 201, response.content
    body: dict[str, Any] = response.json()
    assert response["Location"].endswith(f"{ORDERS}{body['id']}/")
    return body


def test_an_order_comes_back_as_it_was_entered(api: APIClient) -> None:
    body = created(api)
    assert (body["status"], body["blocking_reasons"]) == ("READY", [])
    assert {name: body[name] for name in ORDER if name not in ("customer", "lines")} == {
        name: value for name, value in ORDER.items() if name not in ("customer", "lines")
    }
    assert CHEF_ANTON.items() <= body["customer"].items()
    assert body["notes"] is None
    assert body["lines"] == [{"line_no": 1, "currency": None, "customer_sku_raw": None, **LINE}]
    assert api.get(f"{ORDERS}{body['id']}/").json() == body


def test_an_order_and_who_made_it_are_on_record(api: APIClient) -> None:
    body = created(api)
    assert body["created_by"] == "user-0"
    entry = AuditEntry.objects.get(subject_id=body["id"])
    assert (entry.actor, entry.action) == ("user-0", "create order")


@pytest.mark.parametrize(
    ("entered", "shown"),
    [
        (b"0.30000000000000004", None),
        (b"0.3", b"0.3"),
        (b"9.80", b"9.8"),
        (b"50.000", b"50"),
        (b"1e2", b"100"),
        (b'"12.5"', b"12.5"),
        (b"99999999999.9999", b"99999999999.9999"),
        (b"0.0001", b"0.0001"),
        (b"100000000000", None),
        (b"1e400", None),
        (b"1e-400", None),
        (b'"NaN"', None),
        (b'"sNaN"', None),
        (b'"Infinity"', None),
        (b'"1,5"', None),
        (b"true", None),
        (b"[1]", None),
        (b"{}", None),
        (b"null", None),
    ],
)
def test_numbers_are_exact_or_refused(entered: bytes, shown: bytes | None, api: APIClient) -> None:
    body = b'{"lines": [{"qty": 1, "unit_price": ' + entered + b"}]}"
    response = posted(api, body)
    if shown is None:
        errors = problem(response, 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == ["/lines/0/unit_price"]
    else:
        assert b'"unit_price":' + shown + b"," in response.content


def test_an_empty_order_waits_for_review_and_says_why(api: APIClient) -> None:
    response = api.post(ORDERS, {})
    assert response.status_code == 201
    assert response.json()["status"] == "NEEDS_REVIEW"
    assert [reason["pointer"] for reason in response.json()["blocking_reasons"]] == ["/customer", "/currency", "/lines"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"qty": 0}, "qty"),
        ({"qty": -1}, "qty"),
        ({"uom": "XX"}, "uom"),
        ({"uom": None}, "uom"),
        ({"internal_sku": ""}, "internal_sku"),
    ],
)
def test_a_line_that_cannot_be_sent_blocks_the_approval(line: dict[str, Any], field: str, api: APIClient) -> None:
    body = created(api, lines=[LINE, LINE | line])
    assert body["status"] == "NEEDS_REVIEW"
    response = api.post(f"{ORDERS}{body['id']}/approve/")
    errors = problem(response, 409, "not_ready")["errors"]
    assert errors == body["blocking_reasons"]
    assert [error["pointer"] for error in errors] == [f"/lines/1/{field}"]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"currency": "eur"}, ["/currency"]),
        ({"currency": "EURO"}, ["/currency", "/currency"]),
        ({"order_date": "17.07.1996"}, ["/order_date"]),
        ({"order_date": "1996-02-30"}, ["/order_date"]),
        ({"notes": "x" * 4001}, ["/notes"]),
        ({"notes": {"a": 1}}, ["/notes"]),
        ({"external_order_number": "x" * 81}, ["/external_order_number"]),
        ({"external_order_nr": "PO-1"}, ["/external_order_nr"]),
        ({"status": "APPROVED"}, ["/status"]),
        ({"organization": "globex"}, ["/organization"]),
        ({"customer": {}}, ["/customer/erp_customer_number"]),
        ({"customer": "TOMSP"}, ["/customer"]),
        ({"customer": {"id": "17"}}, ["/customer/id"]),
        ({"customer": {"erp_customer_number": "NEW"}}, ["/customer/name"]),
        ({"lines": {}}, ["/lines"]),
        ({"lines": None}, ["/lines"]),
        ({"lines": [1]}, ["/lines/0"]),
        ({"lines": [{}]}, ["/lines/0/qty"]),
        ({"lines": [LINE, {"qty": 1.2345}, LINE, {"qty": None}]}, ["/lines/1/qty", "/lines/3/qty"]),
        ({"lines": [LINE | {"quantity": 1}]}, ["/lines/0/quantity"]),
        ({"lines": [LINE | {"line_no": 0}]}, ["/lines/0/line_no"]),
        ({"lines": [LINE | {"line_no": 2**31}]}, ["/lines/0/line_no"]),
        ({"lines": [LINE | {"line_no": 2}, LINE]}, ["/lines/1/line_no"]),
        ({"lines": [LINE] * 10_001}, ["/lines"]),
        ({"source_document": {"sha256": "x" * 65}}, ["/source_document/sha256"]),
        ({"source_document": None}, ["/source_document"]),
    ],
    ids=str,
)
def test_bad_input_is_named_and_nothing_is_kept(changes: dict[str, Any], pointers: list[str], api: APIClient) -> None:
    errors = problem(api.post(ORDERS, ORDER | changes), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == pointers
    assert not DraftOrder.objects.exists()
    assert not Customer.objects.exists()


def test_an_unknown_customer_is_created_and_a_known_one_found(api: APIClient) -> None:
    first = created(api)["customer"]
    again = created(api, external_order_number="PO-2", customer=CHEF_ANTON | {"name": "Another name"})["customer"]
    by_number = created(api, external_order_number="PO-3", customer={"erp_customer_number": "TOMSP"})["customer"]
    by_id = created(api, external_order_number="PO-4", customer={"id": first["id"]})["customer"]
    assert first == again == by_number == by_id
    assert first["name"] == "Toms Spezialitäten"


def test_a_customer_of_another_organization_does_not_exist(api: APIClient, db: None) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    foreign = Customer.objects.create(organization=globex, **CHEF_ANTON)
    errors = problem(api.post(ORDERS, ORDER | {"customer": {"id": str(foreign.pk)}}), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/customer/id"]
    assert created(api)["customer"]["id"] != str(foreign.pk)


def test_an_order_number_is_taken_once_per_customer(api: APIClient) -> None:
    created(api)
    errors = problem(api.post(ORDERS, ORDER), 409, "duplicate_order_number")["errors"]
    assert [error["pointer"] for error in errors] == ["/external_order_number"]
    assert DraftOrder.objects.count() == 1
    created(api, customer={"erp_customer_number": "ERNSH", "name": "Ernst Handel"})
    created(api, external_order_number=None)
    created(api, external_order_number="")


def test_an_edit_to_a_number_that_is_taken_changes_nothing(api: APIClient) -> None:
    created(api)
    second = created(api, external_order_number="PO-2")
    change = {"external_order_number": "PO-10258", "lines": []}
    problem(api.patch(f"{ORDERS}{second['id']}/", change), 409, "duplicate_order_number")
    assert api.get(f"{ORDERS}{second['id']}/").json() == second


def test_an_edit_sets_what_it_names_and_replaces_lines_whole(api: APIClient) -> None:
    before = created(api, lines=[LINE, LINE])
    after = api.patch(f"{ORDERS}{before['id']}/", {"notes": "Ring twice", "lines": [LINE | {"qty": 7}]}).json()
    assert (after["notes"], [line["qty"] for line in after["lines"]]) == ("Ring twice", [7])
    assert after["external_order_number"] == before["external_order_number"]
    assert DraftOrderLine.objects.count() == 1
    assert AuditEntry.objects.get(action="edit order").detail == {"fields": "lines, notes"}


def test_an_edit_can_take_values_away(api: APIClient) -> None:
    order = created(api)
    after = api.patch(f"{ORDERS}{order['id']}/", {"customer": None, "order_date": None, "currency": None}).json()
    assert (after["customer"], after["order_date"], after["currency"]) == (None, None, None)
    assert after["status"] == "NEEDS_REVIEW"


def test_an_approval_is_answered_with_its_time(api: APIClient) -> None:
    order = created(api)
    response = api.post(f"{ORDERS}{order['id']}/approve/")
    assert response.status_code == 200
    assert response.json().keys() == {"status", "approved_at"}
    after = api.get(f"{ORDERS}{order['id']}/").json()
    assert response.json() == {"status": "APPROVED", "approved_at": after["approved_at"]}
    problem(api.post(f"{ORDERS}{order['id']}/approve/"), 409, "wrong_status")


@pytest.mark.parametrize(("qty", "status"), [(8, "READY"), (0, "NEEDS_REVIEW")])
def test_editing_an_approved_order_takes_the_approval_back(qty: int, status: str, api: APIClient) -> None:
    order = created(api)
    api.post(f"{ORDERS}{order['id']}/approve/")
    after = api.patch(f"{ORDERS}{order['id']}/", {"lines": [LINE | {"qty": qty}]}).json()
    assert (after["status"], after["approved_at"], after["approved_by"]) == (status, None, None)


def test_an_edit_of_nothing_leaves_the_approval(api: APIClient) -> None:
    order = created(api)
    api.post(f"{ORDERS}{order['id']}/approve/")
    assert api.patch(f"{ORDERS}{order['id']}/", {}).json()["status"] == "APPROVED"


@pytest.mark.parametrize("status", ["PUSHING", "PUSHED", "REJECTED"])
def test_an_order_on_its_way_is_no_longer_edited(status: str, api: APIClient, make_order: MakeOrder) -> None:
    order = make_order(status=status)
    assert status in problem(api.patch(f"{ORDERS}{order.pk}/", {"notes": "x"}), 409, "wrong_status")["detail"]
    order.refresh_from_db()
    assert order.notes == ""


def test_a_rejected_order_is_reopened(api: APIClient, make_order: MakeOrder) -> None:
    """B49."""
    order = make_order(status="REJECTED")
    detail = problem(api.patch(f"{ORDERS}{order.pk}/", {"notes": "x"}), 409, "wrong_status")["detail"]
    assert detail.endswith("Reopen it first.")
    response = api.post(f"{ORDERS}{order.pk}/reopen/")
    shown = api.get(f"{ORDERS}{order.pk}/")
    assert (response.status_code, response.json(), response["ETag"]) == (200, shown.json(), shown["ETag"])
    assert (shown.json()["status"], shown.json()["approved_at"]) == ("READY", None)
    assert AuditEntry.objects.get(action="reopen").subject_id == str(order.pk)
    problem(api.post(f"{ORDERS}{order.pk}/reopen/"), 409, "wrong_status")


def test_the_number_of_a_rejected_order_is_used_again(api: APIClient) -> None:
    """B49. The rejected one cannot be reopened then; and one number is still given once among the others."""
    first = created(api, external_order_number="PO-1")
    DraftOrder.objects.update(status="REJECTED")
    second = created(api, external_order_number="PO-1")
    for call in (f"{first['id']}/reopen/", ""):
        body = {} if call else {**ORDER, "external_order_number": "PO-1"}
        errors = problem(api.post(f"{ORDERS}{call}", body), 409, "duplicate_order_number")["errors"]
        assert [error["pointer"] for error in errors] == ["/external_order_number"]
    states = dict(DraftOrder.objects.values_list("pk", "status"))
    assert {str(pk): status for pk, status in states.items()} == {first["id"]: "REJECTED", second["id"]: "READY"}


def test_orders_are_found_by_status_customer_and_number(api: APIClient, make_order: MakeOrder) -> None:
    ready, error = make_order(status="READY"), make_order(status="ERROR", external_order_number="PO-X")
    other = Customer.objects.create(organization=ready.organization, erp_customer_number="ERNSH", name="Ernst Handel")
    ernst = make_order(status="PUSHED", customer=other)
    for query, found in {
        "": [ernst, error, ready],
        "status=READY": [ready],
        "status=READY&status=ERROR": [error, ready],
        f"customer={other.pk}": [ernst],
        "erp_customer_number=ERNSH": [ernst],
        "external_order_number=PO-X": [error],
        "external_order_number=PO": [],
    }.items():
        rows = api.get(f"{ORDERS}?{query}").json()["results"]
        assert [row["id"] for row in rows] == [str(order.pk) for order in found], query


def test_pages_follow_each_other_without_gap_or_repetition(api: APIClient, make_order: MakeOrder) -> None:
    expected = [str(make_order().pk) for _ in range(7)][::-1]
    found, page = [], api.get(f"{ORDERS}?page_size=3").json()
    while True:
        found += [row["id"] for row in page["results"]]
        if not page["next"]:
            break
        # A newer order does not push the pages about.
        make_order()
        page = api.get(page["next"]).json()
    assert found == expected
    assert page["previous"]


def test_a_page_has_its_bounds(api: APIClient, make_order: MakeOrder) -> None:
    order = make_order()
    DraftOrder.objects.bulk_create([DraftOrder(organization=order.organization) for _ in range(210)])
    assert len(api.get(ORDERS).json()["results"]) == 50
    for size in (1, 200):
        assert len(api.get(ORDERS, {"page_size": size}).json()["results"]) == size


def test_a_list_asks_the_database_as_often_for_fifty_orders_as_for_one(
    api: APIClient, make_order: MakeOrder, django_assert_max_num_queries: Any
) -> None:
    for count in (1, 49):
        for _ in range(count):
            make_order(status="READY")
        # Token, its siblings, membership; orders with customers, lines.
        with django_assert_max_num_queries(5):
            assert len(api.get(ORDERS).json()["results"]) in (1, 50)


def test_a_wide_order_is_made_and_changed_in_few_queries(api: APIClient, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(30):
        order = created(api, lines=[LINE] * 500)
    with django_assert_max_num_queries(30):
        assert api.patch(f"{ORDERS}{order['id']}/", {"lines": [LINE] * 400}).status_code == 200


def test_hostile_text_comes_back_as_text(api_as: ApiAs) -> None:
    """S16."""
    text = "<script>alert(1)</script> \u202e 🍺 '; DROP TABLE"
    assert created(api_as(), notes=text)["notes"] == text
