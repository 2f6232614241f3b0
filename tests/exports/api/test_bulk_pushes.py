"""Many orders in one call: one answer for each, and none fails for another one's sake."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from connectors.registry import registry
from exports.bulk import push as bulk_push
from exports.models import ERPExport, ExportEvent, Lane
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs, MakeOrder
from tests.support.api.problems import problem
from tests.support.cases import each_case

ORDERS = "/api/v1/draft-orders/"
STATUS = {"push": "APPROVED", "retry-push": "ERROR"}
CALLS = sorted(STATUS)


def ask(api: APIClient, call: str = "push", **body: Any) -> Any:
    return api.post(f"{ORDERS}{call}/", body)


def answered(api: APIClient, call: str = "push", **body: Any) -> dict[str, Any]:
    response = ask(api, call, **body)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    assert answer.keys() == {"accepted", "refused", "has_more", "results"}
    return answer


def ids(orders: Sequence[DraftOrder]) -> list[str]:
    return [str(order.pk) for order in orders]


def state() -> dict[str, Any]:
    """All that a push writes."""
    kinds = (DraftOrder, ERPExport, ExportEvent, AuditEntry, Lane)
    return {kind.__name__: list(kind._base_manager.order_by("pk").values()) for kind in kinds}


@pytest.fixture
def waiting(make_order: MakeOrder, connection: ERPConnection) -> Any:
    def waiting(call: str, count: int = 3, **fields: Any) -> list[DraftOrder]:
        return [make_order(status=STATUS[call], **fields) for _ in range(count)]

    return waiting


@pytest.mark.parametrize("call", CALLS)
def test_each_order_named_gets_its_export_in_the_order_asked(
    call: str, api: APIClient, waiting: Any, connection: ERPConnection
) -> None:
    orders = sorted(waiting(call, 5), key=lambda order: order.pk, reverse=True)
    answer = answered(api, call, ids=ids(orders))
    assert (answer["accepted"], answer["refused"], answer["has_more"]) == (5, 0, False)
    assert [row["draft_order"] for row in answer["results"]] == ids(orders)
    exports = list(ERPExport.objects.order_by("created_at"))
    # They leave in this order too.
    assert [row["erp_export_id"] for row in answer["results"]] == [str(export.pk) for export in exports]
    assert [export.draft_order_id for export in exports] == [order.pk for order in orders]
    assert {(row["status"], row["problem"]) for row in answer["results"]} == {("PUSHING", None)}
    assert {(export.connection, export.status, export.requested_by) for export in exports} == {
        (connection, "PENDING", "user-0")
    }
    assert set(DraftOrder.objects.values_list("status", flat=True)) == {"PUSHING"}
    assert ExportEvent.objects.filter(kind="REQUESTED", actor="user-0").count() == 5
    assert AuditEntry.objects.filter(action="push", actor="user-0").count() == 5


def test_each_order_is_answered_as_a_call_for_it_alone_would(
    api: APIClient, make_order: MakeOrder, connection: ERPConnection
) -> None:
    foreign = make_order(tenant=Organization.objects.create(name="Globex", slug="globex"))
    states = ("NEEDS_REVIEW", "APPROVED", "PUSHING", "PUSHED", "ERROR", "REJECTED", "APPROVED")
    orders = [make_order(status=status) for status in states]
    asked = [*ids(orders), str(foreign.pk), str(uuid4())]
    answer = answered(api, ids=asked)
    assert (answer["accepted"], answer["refused"]) == (2, 7)
    assert [row["draft_order"] for row in answer["results"]] == asked
    codes = [row["problem"] and row["problem"]["code"] for row in answer["results"]]
    assert codes == [
        "not_approved", None, "already_pushed", "already_pushed", "not_approved", "not_approved", None,
        "not_found", "not_found",
    ]  # fmt: skip
    assert [row["status"] for row in answer["results"]][:7] == [
        "NEEDS_REVIEW", "PUSHING", "PUSHING", "PUSHED", "ERROR", "REJECTED", "PUSHING",
    ]  # fmt: skip
    for row in answer["results"]:
        assert (row["erp_export_id"] is None) == (row["problem"] is not None)
        if row["problem"] and row["status"]:
            alone = problem(api.post(f"{ORDERS}{row['draft_order']}/push/"), 409, row["problem"]["code"])
            assert row["problem"] == {name: alone[name] for name in ("code", "detail", "errors")}
    for row in answer["results"][-2:]:
        assert (row["status"], row["problem"]["errors"]) == (None, [])
    foreign.refresh_from_db()
    assert foreign.status == "APPROVED"


def test_a_retry_names_what_it_supersedes_and_leaves_the_living_alone(
    api: APIClient, waiting: Any, connection: ERPConnection
) -> None:
    failed, alive, fresh = waiting("push")
    answered(api, ids=ids([failed, alive]))
    ERPExport.objects.filter(draft_order=failed).update(status="FAILED")
    DraftOrder.objects.filter(pk__in=[failed.pk, alive.pk]).update(status="ERROR")
    results = answered(api, "retry-push", ids=ids([failed, alive, fresh]))["results"]
    codes = [row["problem"] and row["problem"]["code"] for row in results]
    assert codes == [None, "still_alive", "not_failed"]
    again = ERPExport.objects.get(pk=results[0]["erp_export_id"])
    assert again.supersedes == ERPExport.objects.get(draft_order=failed, status="FAILED")
    assert AuditEntry.objects.filter(action="retry push").count() == 1


@pytest.mark.parametrize("call", CALLS)
def test_an_order_that_the_database_refuses_harms_no_other(
    call: str, api: APIClient, waiting: Any, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = waiting(call)
    # The name of a file that is there already, which no time and no id would make.
    taken = answered(api, "push", ids=ids(waiting("push", 1)))["results"][0]["erp_export_id"]
    name = ERPExport.objects.get(pk=taken).filename
    connector = registry.connector_class(connection.connector_type)
    original = connector.document_name
    monkeypatch.setattr(
        connector,
        "document_name",
        lambda self, pk, attempt: name if pk == orders[1].pk else original(self, pk, attempt),
    )
    answer = answered(api, call, ids=ids(orders))
    codes = [row["problem"] and row["problem"]["code"] for row in answer["results"]]
    assert codes == [None, "connector_unusable", None]
    statuses = [DraftOrder.objects.get(pk=order.pk).status for order in orders]
    assert statuses == ["PUSHING", STATUS[call], "PUSHING"]
    assert not ERPExport.objects.filter(draft_order=orders[1]).exists()


@pytest.mark.parametrize("call", CALLS)
def test_a_filter_finds_what_waits_the_oldest_first(
    call: str, api: APIClient, waiting: Any, make_order: MakeOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_push, "AT_ONCE", 3)
    orders = waiting(call, 4)
    make_order(status="READY")
    make_order(status=STATUS[call], tenant=Organization.objects.create(name="Globex", slug="globex"))
    first = answered(api, call, filter={})
    assert (first["accepted"], first["has_more"]) == (3, True)
    assert [row["draft_order"] for row in first["results"]] == ids(orders[:3])
    second = answered(api, call, filter={})
    assert [row["draft_order"] for row in second["results"]] == ids(orders[3:])
    assert second["has_more"] is False
    assert answered(api, call, filter={}) == {"accepted": 0, "refused": 0, "has_more": False, "results": []}


def test_a_filter_narrows_as_in_the_list(api: APIClient, waiting: Any) -> None:
    (order, *_) = waiting("push")
    other = Customer.objects.create(organization=order.organization, erp_customer_number="ERNSH", name="Ernst Handel")
    (ernst,) = waiting("push", 1, customer=other)
    (old,) = waiting("push", 1)
    day = timezone.now() - timedelta(days=2)
    DraftOrder.objects.filter(pk=old.pk).update(created_at=day)
    for asked, found in [
        ({"customer": str(uuid4())}, []),
        ({"customer": str(other.pk)}, [ernst]),
        ({"erp_customer_number": "ERNSH"}, [ernst]),
        ({"external_order_number": str(order)}, [order]),
        ({"created_before": day.isoformat()}, []),
        ({"created_after": day.isoformat(), "created_before": (day + timedelta(1)).isoformat()}, [old]),
    ]:
        DraftOrder.objects.update(status="APPROVED")
        ERPExport.objects.update(status="FAILED")
        assert [row["draft_order"] for row in answered(api, filter=asked)["results"]] == ids(found), asked


def test_the_orders_go_over_the_connection_that_is_named(
    api: APIClient, waiting: Any, connection: ERPConnection
) -> None:
    other = ERPConnection(organization=connection.organization, connector_type="DROPZONE_JSON_V1", name="Other")
    other.set_config(connection.stored_config())
    other.save()
    answered(api, ids=ids(waiting("push")), connection=str(other.pk))
    assert set(ERPExport.objects.values_list("connection", flat=True)) == {other.pk}


def test_what_no_order_can_have_is_refused_as_a_whole(api: APIClient, waiting: Any, connection: ERPConnection) -> None:
    orders = ids(waiting("push"))
    foreign = Organization.objects.create(name="Globex", slug="globex")
    theirs = ERPConnection.objects.create(organization=foreign, name="Theirs", connector_type="DROPZONE_JSON_V1")
    before = state()
    body = problem(ask(api, ids=orders, connection=str(theirs.pk)), 422, "unknown_connection")
    assert [error["pointer"] for error in body["errors"]] == ["/connection"]
    ERPConnection.objects.filter(pk=connection.pk).update(status="DISABLED")
    problem(ask(api, ids=orders), 409, "connection_disabled")
    ERPConnection.objects.filter(pk=connection.pk).update(is_default=False)
    problem(ask(api, ids=orders), 409, "no_connection")
    assert state() == before


ONE = "11111111-1111-4111-8111-111111111111"
WRONG: list[tuple[Any, list[str]]] = [
    ({}, ["/ids"]),
    ({"ids": []}, ["/ids"]),
    ({"ids": None}, ["/ids"]),
    ({"ids": ONE}, ["/ids"]),
    ({"ids": {"0": ONE}}, ["/ids"]),
    ({"ids": [ONE, "17", None, [ONE]]}, ["/ids/1", "/ids/2", "/ids/3"]),
    ({"ids": [ONE, str(UUID(int=5)), ONE, ONE.replace("-", "")]}, ["/ids/2", "/ids/3"]),
    ({"ids": [str(UUID(int=n)) for n in range(501)]}, ["/ids"]),
    ({"ids": [ONE], "filter": {}}, ["/filter"]),
    ({"ids": [ONE], "connection": "17"}, ["/connection"]),
    ({"ids": [ONE], "source": "ERROR"}, ["/source"]),
    ({"filter": None}, ["/filter"]),
    ({"filter": []}, ["/filter"]),
    ({"filter": {"status": "ERROR"}}, ["/filter/status"]),
    ({"filter": {"custmer": ONE}}, ["/filter/custmer"]),
    ({"filter": {"customer": ""}}, ["/filter/customer"]),
    ({"filter": {"customer": None}}, ["/filter/customer"]),
    ({"filter": {"erp_customer_number": ""}}, ["/filter/erp_customer_number"]),
    ({"filter": {"external_order_number": " "}}, ["/filter/external_order_number"]),
    ({"filter": {"external_order_number": ["PO-1"]}}, ["/filter/external_order_number"]),
    ({"filter": {"created_after": "2026-11-25"}}, ["/filter/created_after"]),
    ({"filter": {"created_before": 5}}, ["/filter/created_before"]),
    ({"filter": {"created_before": None}}, ["/filter/created_before"]),
    ([], [""]),
    ("x", [""]),
]


@each_case("call", CALLS)
@each_case(("body", "pointers"), WRONG)
def test_a_wrong_body_is_named_and_pushes_nothing(
    call: str, body: Any, pointers: list[str], api: APIClient, waiting: Any
) -> None:
    waiting(call)
    before = state()
    errors = problem(api.post(f"{ORDERS}{call}/", body), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == pointers
    assert state() == before


def test_a_superuser_of_no_organization_pushes_nothing(api_as: ApiAs, waiting: Any) -> None:
    waiting("push")
    problem(ask(api_as(None, is_superuser=True), filter={}), 403, "no_organization")
    assert not ERPExport.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INTEGRATOR])
def test_only_who_may_push_one_may_push_many(role: Role, api_as: ApiAs, waiting: Any) -> None:
    """S14."""
    waiting("push")
    problem(ask(api_as(role), filter={}), 403, "permission_denied")
    assert not ERPExport.objects.exists()


def test_a_call_sends_one_message_however_many_orders_it_has(
    api: APIClient, waiting: Any, connection: ERPConnection, queue: list[UUID], django_capture_on_commit_callbacks: Any
) -> None:
    for count in (1, 20):
        Lane.objects.all().delete()
        queue.clear()
        orders = waiting("push", count)
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            answered(api, ids=ids(orders))
        assert (len(callbacks), queue) == (1, [connection.pk])
    queue.clear()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        assert answered(api, ids=ids(orders))["accepted"] == 0
    assert (callbacks, queue) == ([], [])


@pytest.mark.parametrize(("call", "each"), [("push", 7), ("retry-push", 8)])
def test_an_order_more_costs_so_many_queries_and_no_more(call: str, each: int, api: APIClient, waiting: Any) -> None:
    """Savepoint, move, what it supersedes, export, history, audit, savepoint; of a retry, whether one is alive."""

    def queries(count: int) -> int:
        named = ids(waiting(call, count))
        with CaptureQueriesContext(database) as caught:
            assert answered(api, call, ids=named)["accepted"] == count
        return len(caught)

    queries(1)
    few, many = queries(2), queries(12)
    assert many - few == 10 * each
    assert few - 2 * each <= 12


def test_what_is_refused_costs_next_to_nothing(api: APIClient, make_order: MakeOrder, waiting: Any) -> None:
    waiting("push")
    refused = [make_order(status="PUSHED") for _ in range(20)]
    with CaptureQueriesContext(database) as caught:
        assert answered(api, ids=ids(refused) + [str(uuid4()) for _ in range(20)])["refused"] == 40
    assert len(caught) <= 12


def test_the_calls_are_counted(api: APIClient, waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """S15."""
    monkeypatch.setattr("orderflow.api.throttles.PushThrottle.rate", "2/min", raising=False)
    answers = [ask(api, call, filter={}) for call in ("push", "retry-push", "push")]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


@pytest.mark.django_db(transaction=True)
def test_two_calls_with_the_same_orders_make_each_export_once_and_wait_for_no_circle(
    api: APIClient, waiting: Any
) -> None:
    named = ids(waiting("push", 30))
    together = Barrier(4)

    def push(turned: bool) -> dict[str, Any]:
        try:
            together.wait(timeout=30)
            return answered(api, ids=named[::-1] if turned else named)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(push, [False, True, False, True]))
    assert sum(answer["accepted"] for answer in answers) == 30
    assert ERPExport.objects.count() == 30
    for answer in answers:
        assert answer["accepted"] + answer["refused"] == 30
        assert {row["status"] for row in answer["results"]} == {"PUSHING"}


@pytest.mark.parametrize("call", CALLS)
def test_the_same_key_gets_the_same_answer_word_for_word(call: str, api: APIClient, waiting: Any) -> None:
    waiting(call)
    first, second = (api.post(f"{ORDERS}{call}/", {"filter": {}}, headers={"idempotency-key": "k"}) for _ in range(2))
    assert (first.status_code, first.json()["accepted"]) == (200, 3)
    assert second.content == first.content
    # Without it, those that went are no longer found.
    assert answered(api, call, filter={})["accepted"] == 0
    other = api.post(f"{ORDERS}{call}/", {"filter": {"customer": str(uuid4())}}, headers={"idempotency-key": "k"})
    problem(other, 422, "idempotency_key_reused")
    assert ERPExport.objects.count() == 3


def test_a_key_of_bulk_pushes_is_none_of_bulk_retries(api: APIClient, waiting: Any) -> None:
    """S11."""
    for call in CALLS:
        orders = waiting(call)
        answer = api.post(f"{ORDERS}{call}/", {"ids": ids(orders)}, headers={"idempotency-key": "k"})
        assert answer.json()["accepted"] == 3


@each_case("call", CALLS)
@each_case("count", [2, 3, 4])
def test_there_is_more_only_beyond_what_one_call_takes(
    count: int, call: str, api: APIClient, waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever asks until there is no more asks once too often, or once too rarely."""
    monkeypatch.setattr(bulk_push, "AT_ONCE", 3)
    waiting(call, count)
    answer = answered(api, call, filter={})
    assert (answer["accepted"], answer["has_more"]) == (min(count, 3), count > 3)
