from typing import Any

import pytest
from django.conf import settings
from django.db import connection as database
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports.models import ERPExport, Lane
from orderflow.api.throttles import PushThrottle
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry
from tests.conftest import MakeOrder
from tests.servers.ports import free_port
from tests.support.api.problems import problem
from tests.support.api.pushes import fail, push
from tests.support.threads import another, at_once, held

REDIS_CACHE = "django.core.cache.backends.redis.RedisCache"


@pytest.fixture
def order(make_order: MakeOrder, connection: ERPConnection) -> DraftOrder:
    return make_order()


def test_a_push_is_accepted_and_says_where_to_look(
    api: APIClient, order: DraftOrder, connection: ERPConnection
) -> None:
    response = push(api, order)
    assert response.status_code == 202
    export = ERPExport.objects.get()
    assert response.json() == {"status": "PUSHING", "erp_export_id": str(export.pk)}
    assert response["Location"] == f"http://testserver/api/v1/exports/{export.pk}/"
    assert (export.connection, export.status, export.requested_by) == (connection, "PENDING", "user-0")
    shown = api.get(response["Location"]).json()
    assert (shown["status"], [event["kind"] for event in shown["events"]]) == ("PENDING", ["REQUESTED"])
    assert AuditEntry.objects.filter(subject_id=str(order.pk), action="push", actor="user-0").exists()


def test_a_push_wakes_the_lane_once_it_is_committed(
    api: APIClient, order: DraftOrder, connection: ERPConnection, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        push(api, order)
    assert Lane.objects.get(connection=connection).awake_since is not None
    queue = settings.DATA_DIR / "broker" / "queues" / "celery"
    assert any(str(connection.pk).encode() in path.read_bytes() for path in queue.iterdir())


def test_a_push_is_accepted_while_redis_is_away(
    api: APIClient, order: DraftOrder, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """F22: nobody counts the calls then, and the order goes its way."""
    settings.CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    assert push(api, order).status_code == 202
    assert ERPExport.objects.get().status == "PENDING"
    assert "not counted" in caplog.text


def test_a_push_goes_over_the_connection_that_it_names(
    api: APIClient, order: DraftOrder, connection: ERPConnection
) -> None:
    other = ERPConnection(organization=order.organization, connector_type="DROPZONE_JSON_V1", name="Other")
    other.set_config(connection.stored_config())
    other.save()
    assert push(api, order, {"connection": str(other.pk)}).status_code == 202
    assert ERPExport.objects.get().connection == other


def test_the_same_key_gives_the_same_export(api: APIClient, order: DraftOrder) -> None:
    first, second = (push(api, order, key="k-1") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    ERPExport.objects.update(status="SENT")
    DraftOrder.objects.update(status="PUSHED")
    third = push(api, order, key="k-1")
    assert third.status_code == 200
    assert third.json() == {"status": "PUSHED", "erp_export_id": first.json()["erp_export_id"]}
    assert third["Location"] == first["Location"]
    assert ERPExport.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(
    api: APIClient, order: DraftOrder, connection: ERPConnection
) -> None:
    """S11."""
    push(api, order, key="k-1")
    problem(push(api, order, {"connection": str(connection.pk)}, key="k-1"), 422, "idempotency_key_reused")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", ["push", "retry-push"])
def test_fifty_at_once_with_one_key_make_one_export(call: str, api: APIClient, order: DraftOrder) -> None:
    """S11."""
    if call == "retry-push":
        fail(push(api, order).json()["erp_export_id"])
    before = ERPExport.objects.count()
    answers = at_once(lambda: push(another(api), order, key="k-1", call=call))
    done = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.content for answer in done}) == 1
    told_to_wait = [problem(answer, 409, "still_running") for answer in answers if answer.status_code != 202]
    assert not told_to_wait or database.vendor == "postgresql"
    assert ERPExport.objects.count() == before + 1
    again = push(api, order, key="k-1", call=call)
    assert (again.status_code, again.content) == (202, done[0].content)


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_postgresql_says_so_and_sqlite_waits(api: APIClient, order: DraftOrder) -> None:
    """S11."""
    with held("push", order.pk, "k-1"):
        meanwhile = push(api, order, key="k-1")
        if database.vendor == "postgresql":
            assert push(api, order, key="k-2").status_code == 202
    if database.vendor == "postgresql":
        problem(meanwhile, 409, "still_running")
        assert meanwhile["Retry-After"] == "1"
    else:
        assert meanwhile.status_code == 202
    assert ERPExport.objects.count() == 1


def test_a_key_belongs_to_one_order(api: APIClient, order: DraftOrder, make_order: MakeOrder) -> None:
    """S11."""
    first, second = push(api, order, key="k-1"), push(api, make_order(), key="k-1")
    assert second.status_code == 202
    assert first.json()["erp_export_id"] != second.json()["erp_export_id"]


@pytest.mark.parametrize("key", [None, "k-2"])
def test_an_order_is_not_pushed_twice(key: str | None, api: APIClient, order: DraftOrder) -> None:
    push(api, order, key="k-1")
    for status in ("PUSHING", "PUSHED"):
        DraftOrder.objects.update(status=status)
        assert status in problem(push(api, order, key=key), 409, "already_pushed")["detail"]
    assert ERPExport.objects.count() == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(key: str, api: APIClient, order: DraftOrder) -> None:
    problem(push(api, order, key=key), 400, "bad_idempotency_key")
    assert not ERPExport.objects.exists()


@pytest.mark.parametrize("status", ["NEEDS_REVIEW", "READY", "REJECTED", "ERROR"])
def test_only_an_approved_order_is_pushed(status: str, api: APIClient, order: DraftOrder) -> None:
    DraftOrder.objects.update(status=status)
    assert status in problem(push(api, order), 409, "not_approved")["detail"]


@pytest.mark.parametrize("body", [{"connection": "17"}, {"connection": []}, {"conection": None}, [], "x"], ids=str)
def test_a_push_with_a_wrong_body_is_refused(body: Any, api: APIClient, order: DraftOrder) -> None:
    problem(push(api, order, body), 422, "invalid")
    assert not ERPExport.objects.exists()


def test_a_connection_that_is_not_there_is_named(api: APIClient, order: DraftOrder) -> None:
    body = problem(push(api, order, {"connection": str(order.pk)}), 422, "unknown_connection")
    assert [error["pointer"] for error in body["errors"]] == ["/connection"]


def test_without_a_usable_connection_the_order_stays_approved(
    api: APIClient, order: DraftOrder, connection: ERPConnection
) -> None:
    connection.status = "DISABLED"
    connection.save()
    problem(push(api, order), 409, "connection_disabled")
    connection.is_default = False
    connection.save()
    problem(push(api, order), 409, "no_connection")
    order.refresh_from_db()
    assert order.status == "APPROVED"


def test_an_order_in_error_is_retried_with_a_new_export(api: APIClient, order: DraftOrder) -> None:
    first = push(api, order).json()["erp_export_id"]
    fail(first)
    response = push(api, order, call="retry-push")
    assert (response.status_code, response.json()["status"]) == (202, "PUSHING")
    second = response.json()["erp_export_id"]
    assert second != first
    assert api.get(f"/api/v1/exports/{second}/").json()["supersedes"] == first


def test_a_retry_has_a_key_too(api: APIClient, order: DraftOrder) -> None:
    fail(push(api, order, key="k-1").json()["erp_export_id"])
    first, second = (push(api, order, key="k-2", call="retry-push") for _ in range(2))
    assert first.json() == second.json()
    assert ERPExport.objects.count() == 2


@pytest.mark.parametrize("status", ["NEEDS_REVIEW", "READY", "APPROVED", "PUSHED", "REJECTED"])
def test_only_an_order_in_error_is_retried(status: str, api: APIClient, order: DraftOrder) -> None:
    DraftOrder.objects.update(status=status)
    problem(push(api, order, call="retry-push"), 409, "not_failed")


def test_an_order_under_way_is_not_retried(api: APIClient, order: DraftOrder) -> None:
    push(api, order)
    problem(push(api, order, call="retry-push"), 409, "still_alive")


def test_an_order_that_was_mended_is_pushed_again(api: APIClient, order: DraftOrder) -> None:
    first = push(api, order).json()["erp_export_id"]
    fail(first)
    address = f"/api/v1/draft-orders/{order.pk}/"
    assert api.patch(address, {"notes": "mended"}).json()["status"] == "READY"
    assert api.post(f"{address}approve/").status_code == 200
    second = push(api, order)
    assert second.status_code == 202
    assert api.get(second["Location"]).json()["supersedes"] == first


def test_pushing_is_throttled(api: APIClient, order: DraftOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    """S15."""
    monkeypatch.setattr(PushThrottle, "rate", "2/min", raising=False)
    answers = [push(api, order, key="k-1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    problem(answers[-1], 429, "throttled")
    assert "Retry-After" in answers[-1]
