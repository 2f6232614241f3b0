"""F35: an export in doubt for a person is never sent again by itself, is shown, and is decided once."""

import json
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports import ack_poller, tasks
from exports.bulk import routing
from exports.decisions import in_doubt, resolve
from exports.delivery import cleanup, drain
from exports.delivery.reschedule import put_forward
from exports.lanes import leases
from exports.models import ERPExport, ExportEvent, Lane
from exports.models.status import PushRefused
from exports.push_service import PushRequest, retry
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs
from tests.exports.conftest import Push, names
from tests.support.api.problems import problem
from tests.support.tenants import list_url, log_in, page_url

REASON = "The connector failed after it had begun to send."


@pytest.fixture
def doubtful(push: Push) -> ERPExport:
    export = push()
    in_doubt.mark({export.pk: REASON}, 12)
    export.refresh_from_db()
    return export


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


@pytest.fixture
def api(api_as: ApiAs) -> APIClient:
    return api_as(Role.OPS)


def order_of(export: ERPExport) -> DraftOrder:
    return DraftOrder.objects.get(pk=export.draft_order_id)


def test_it_stays_live_and_says_why_and_what_to_do(doubtful: ERPExport) -> None:
    assert (doubtful.status, doubtful.tries, doubtful.next_attempt_at) == ("PENDING", 1, None)
    assert doubtful.error_message.startswith(REASON)
    assert "mark this export as delivered or not delivered" in doubtful.error_message
    event = doubtful.events.get(kind="UNDECIDED")
    assert (event.message, event.detail) == (doubtful.error_message, {"try": 1, "duration_ms": 12})


def test_nothing_sends_it_again(doubtful: ERPExport, connection: ERPConnection, folder: Path) -> None:
    """Neither a drain, nor the sweep, nor a repaired connection, nor a later mark."""
    since = doubtful.undecided_since
    for _ in range(3):
        drain.drain(connection.pk)
        tasks.sweep()
        put_forward(connection_id=connection.pk, actor="ops", cause="Tested.", tested=True)
        in_doubt.mark({doubtful.pk: "Another reason."}, 0)
    doubtful.refresh_from_db()
    assert names(folder / "in") == []
    assert (doubtful.status, doubtful.undecided_since, doubtful.tries) == ("PENDING", since, 1)
    assert not doubtful.events.filter(kind="RELEASED").exists()


def test_a_retry_is_rejected_and_says_what_to_do(doubtful: ERPExport) -> None:
    order = order_of(doubtful)
    with pytest.raises(PushRefused, match=r"in doubt.*mark the export as delivered or not delivered"):
        retry(PushRequest(order=order, actor="ops"))
    (outcome,) = routing.push_each(order.organization, OrderStatus.ERROR, [order.pk], actor="ops")
    assert "in doubt" in str(outcome.refusal)
    assert ERPExport.objects.count() == 1


def test_an_ack_settles_it(doubtful: ERPExport, folder: Path) -> None:
    (folder / "acks" / f"ack_{doubtful.filename}").write_text(json.dumps({"status": "ACKED", "erp_order_id": "SO-1"}))
    ack_poller.poll(doubtful.connection_id)
    doubtful.refresh_from_db()
    assert (doubtful.status, doubtful.undecided_since, doubtful.erp_order_id) == ("ACKED", None, "SO-1")
    assert order_of(doubtful).status == OrderStatus.PUSHED


def test_delivered_is_sent_and_its_ack_due_from_now(doubtful: ERPExport, connection: ERPConnection) -> None:
    decided = resolve.decide(doubtful, delivered=True, actor="eva", reason="SO-1 is there")
    assert (decided.status, decided.undecided_since, decided.error_message) == ("SENT", None, "")
    assert decided.sent_at is not None
    assert decided.answer_due_at is not None
    assert decided.answer_due_at - decided.sent_at == timedelta(hours=24)
    assert order_of(decided).status == OrderStatus.PUSHED
    event = decided.events.get(kind="DECIDED")
    assert (event.actor, event.message) == ("eva", "Marked as delivered by eva: SO-1 is there")
    assert AuditEntry.objects.filter(actor="eva", action="mark export as delivered").count() == 1


def test_a_connection_that_cannot_be_read_holds_no_decision_up(doubtful: ERPExport) -> None:
    ERPConnection.objects.update(connector_type="GONE")
    decided = resolve.decide(ERPExport.objects.get(), delivered=True, actor="eva", reason="SO-1 is there")
    assert decided.status == "SENT"
    assert decided.answer_due_at is not None


def test_not_delivered_is_failed_and_may_be_retried(
    doubtful: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    decided = resolve.decide(doubtful, delivered=False, actor="eva", reason="no such order")
    assert (decided.status, decided.cause, decided.undecided_since) == ("FAILED", "UNDECIDED", None)
    assert decided.error_message == "Marked as not delivered by eva: no such order"
    order = order_of(decided)
    assert (order.status, order.error_message) == (OrderStatus.ERROR, decided.error_message)
    again = retry(PushRequest(order=order, actor="eva", connection=connection))
    drain.drain(connection.pk)
    assert names(folder / "in") == [again.filename]


@pytest.mark.parametrize("delivered", [True, False])
def test_only_one_decision_counts(doubtful: ERPExport, delivered: bool) -> None:
    resolve.decide(doubtful, delivered=delivered, actor="eva", reason="seen")
    status = ERPExport.objects.get().status
    for other in (True, False):
        with pytest.raises(PushRefused, match=f"is {status} and not in doubt") as caught:
            resolve.decide(doubtful, delivered=other, actor="max", reason="seen")
        assert caught.value.code == "not_undecided"
    assert ERPExport.objects.get().status == status
    assert not ExportEvent.objects.filter(actor="max").exists()


def test_what_is_not_in_doubt_is_not_decided(push: Push) -> None:
    export = push()
    with pytest.raises(PushRefused, match="is PENDING and not in doubt"):
        resolve.decide(export, delivered=True, actor="max", reason="seen")


def test_its_temporary_is_left_alone(doubtful: ERPExport, connection: ERPConnection, folder: Path) -> None:
    temporary = folder / "in" / f"{doubtful.filename}.tmp"
    temporary.write_text("{}")
    ERPExport.objects.update(undecided_since=timezone.now() - timedelta(days=9))
    assert cleanup.tidy_up(connection.pk) == 0
    assert temporary.exists()


def test_the_api_decides(doubtful: ERPExport, api: APIClient) -> None:
    body = api.get(f"/api/v1/exports/{doubtful.pk}/").json()
    assert body["undecided_since"]
    decided = _decide(api, doubtful, delivered=True, reason="SO-1 is there")
    assert (decided.status_code, decided.json()["status"]) == (200, "SENT")
    assert decided.json()["undecided_since"] is None
    rejected = _decide(api, doubtful, delivered=False, reason="x")
    assert "is SENT and not in doubt" in problem(rejected, 409, "not_undecided")["detail"]


@pytest.mark.parametrize(
    "body",
    [{}, {"delivered": True}, {"delivered": None, "reason": "x"}, {"delivered": True, "reason": " "},
     {"delivered": True, "reason": "x" * 301}, {"delivered": True, "reason": "x", "force": True}],
)  # fmt: skip
def test_the_api_takes_no_half_decision(doubtful: ERPExport, api: APIClient, body: dict[str, Any]) -> None:
    problem(_decide(api, doubtful, **body), 422, "invalid")
    doubtful.refresh_from_db()
    assert doubtful.status == "PENDING"


def test_the_api_lists_those_that_need_a_decision(doubtful: ERPExport, push: Push, api: APIClient) -> None:
    other = push()
    found = {flag: [row["id"] for row in _listed(api, flag)] for flag in ("true", "false")}
    assert found == {"true": [str(doubtful.pk)], "false": [str(other.pk)]}


def test_the_dashboard_and_the_list_ask_for_decisions_of_any_age(client: Client, doubtful: ERPExport) -> None:
    long_ago = timezone.now() - timedelta(days=90)
    ERPExport.objects.update(created_at=long_ago, undecided_since=long_ago)
    page = client.get(reverse("admin:index")).content.decode()
    assert "1 export needs your decision" in page
    link = f"{list_url(ERPExport)}?undecided_since__isnull=False"
    assert link in page
    listed = client.get(link).content.decode()
    assert page_url(doubtful) in listed
    assert "In doubt, decide" in listed
    assert "1 export needs your decision" in listed


def test_nothing_asks_where_nothing_is_in_doubt(client: Client, push: Push) -> None:
    push()
    for url in (reverse("admin:index"), list_url(ERPExport)):
        assert "your decision" not in client.get(url).content.decode()


@pytest.mark.parametrize(("action", "status"), [("mark_delivered", "SENT"), ("mark_not_delivered", "FAILED")])
def test_the_admins_page_asks_before_it_decides(client: Client, doubtful: ERPExport, action: str, status: str) -> None:
    url = page_url(doubtful, "do", action)
    page = client.get(page_url(doubtful)).content.decode()
    assert url in page
    assert "A person decides; it is not sent again." in page
    question = client.post(url)
    assert question.status_code == 200
    assert 'name="reason"' in question.content.decode()
    doubtful.refresh_from_db()
    assert doubtful.status == "PENDING"

    client.post(url, {"confirmed": "yes", "reason": "seen in the ERP"})
    doubtful.refresh_from_db()
    assert doubtful.status == status
    assert doubtful.events.get(kind="DECIDED").actor == "ops@acme"
    assert url not in client.get(page_url(doubtful)).content.decode()


def test_many_are_decided_from_the_list(client: Client, push: Push) -> None:
    exports = [push(), push(), push()]
    in_doubt.mark({export.pk: REASON for export in exports[:2]}, 0)
    chosen = {"action": "mark_not_delivered", "_selected_action": [export.pk for export in exports]}
    question = client.post(list_url(ERPExport), chosen).content.decode()
    assert all(f'value="{export.pk}"' in question for export in exports)
    page = client.post(list_url(ERPExport), {**chosen, "confirmed": "yes", "reason": "none there"}, follow=True)
    assert "2 exports marked as not delivered." in page.content.decode()
    assert "1 refused." in page.content.decode()
    assert sorted(ERPExport.objects.values_list("status", flat=True)) == ["FAILED", "FAILED", "PENDING"]


@pytest.mark.parametrize("where", ["page", "list"])
def test_a_browser_decides_with_what_the_question_has(client: Client, doubtful: ERPExport, where: str) -> None:
    """No test client's own knowledge of the versions that the pages carry."""
    browser = Client()
    browser.force_login(User.objects.get(username="ops@acme"))
    chosen = {"action": "mark_not_delivered", "_selected_action": str(doubtful.pk)}
    if where == "page":
        url = page_url(doubtful, "do", "mark_not_delivered")
        question = browser.post(url, {"_seen": str(browser.get(page_url(doubtful)).context["seen"])})
    else:
        url = list_url(ERPExport)
        question = client.post(url, chosen)
    hidden = dict(question.context["hidden"])
    assert all(f'name="{name}" value="{value}"' in question.content.decode() for name, value in hidden.items())
    page = browser.post(url, {**hidden, "confirmed": "yes", "reason": "none there"}, follow=True)
    assert "1 export marked as not delivered." in page.content.decode()
    doubtful.refresh_from_db()
    assert doubtful.status == "FAILED"


def _decide(api: APIClient, export: ERPExport, **body: Any) -> Any:
    return api.post(f"/api/v1/exports/{export.pk}/decide/", body, format="json")


def _listed(api: APIClient, flag: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api.get("/api/v1/exports/", {"undecided": flag}).json()["results"]
    return rows


def test_only_what_a_worker_of_this_connection_had_counts_as_interrupted(push: Push) -> None:
    """Another connection's worker may still have it."""
    export = push()
    ERPExport.objects.update(handed_over_at=timezone.now())
    assert not in_doubt.mark_interrupted(uuid4(), hold=nullcontext)
    export.refresh_from_db()
    assert (export.undecided_since, export.handed_over_at is None) == (None, False)
    assert in_doubt.mark_interrupted(export.connection_id, hold=nullcontext)


def test_an_export_that_its_ack_overtook_is_not_in_doubt(push: Push) -> None:
    export = push()
    ERPExport.objects.update(status="ACKED", settled_at=timezone.now())
    in_doubt.mark({export.pk: REASON}, 12)
    export.refresh_from_db()
    assert (export.status, export.undecided_since, export.tries) == ("ACKED", None, 0)
    assert not export.events.filter(kind="UNDECIDED").exists()


def test_one_that_was_handed_over_and_is_held_does_not_hold_the_others_up(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    """A recovery holds what a connector without a journal had when the backup was made."""
    held, free = push(), push()
    ERPExport.objects.filter(pk=held.pk).update(handed_over_at=timezone.now(), **in_doubt.columns(REASON))
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert names(folder / "in") == [free.filename]
    assert connection.failures_in_a_row == 0


def test_a_worker_that_lost_its_lane_marks_nothing_of_its_successors(push: Push, connection: ERPConnection) -> None:
    """It was paused between its claim and its look at what the worker before it had."""
    export = push()
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease
        Lane.objects.filter(connection=connection).update(token=99)
        ERPExport.objects.filter(pk=export.pk).update(handed_over_at=timezone.now())
        with pytest.raises(leases.LaneLost):
            drain._drain(lease)
    export.refresh_from_db()
    assert export.undecided_since is None
