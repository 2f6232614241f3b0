"""Many pushes in the background: each order once, whatever becomes of workers and messages."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.models import ERPConnection
from exports import tasks
from exports.bulk import jobs, routing
from exports.bulk.jobs import NotUnderWay
from exports.bulk.models import BulkJob
from exports.models import ERPExport
from orderflow.celery import app
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import log_in, page_url

Kind = BulkJob.Kind


@pytest.fixture
def sent_for(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The messages for jobs."""
    found: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda name, args: found.append(args[0]) if name == jobs.TASK else None)
    return found


@pytest.fixture
def orders(make_order: MakeOrder, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch) -> list[DraftOrder]:
    """Seven, in portions of three."""
    monkeypatch.setattr(jobs, "PORTION", 3)
    return [make_order() for _ in range(7)]


@pytest.fixture
def job(orders: list[DraftOrder], organization: Organization) -> BulkJob:
    return jobs.ask(organization, Kind.PUSH, [order.pk for order in orders], actor="ops")


def test_all_go_in_portions_and_in_the_order_asked(job: BulkJob, orders: list[DraftOrder]) -> None:
    DraftOrder.objects.filter(pk__in=[orders[1].pk, orders[4].pk]).update(status="READY")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.position, job.done, job.refused, job.left) == ("DONE", 7, 5, 2, 0)
    assert job.refusals == {
        "not_approved": {
            "count": 2, "example": f"Order {orders[1]} is READY; only an APPROVED order can be pushed."
        }
    }  # fmt: skip
    assert (job.order_ids, job.leased_until) == ([], None)
    assert job.started_at is not None
    assert job.ended_at is not None
    left = [export.draft_order_id for export in ERPExport.objects.order_by("created_at")]
    assert left == [order.pk for order in orders if order not in (orders[1], orders[4])]
    assert AuditEntry.objects.get(action="bulk push").detail == {"orders": "7"}


def test_a_worker_that_dies_between_portions_or_in_one_loses_and_repeats_nothing(
    job: BulkJob, monkeypatch: pytest.MonkeyPatch, sent_for: list[Any]
) -> None:
    real, calls = routing.push_each, []

    def dies(*arguments: Any, **named: Any) -> Any:
        outcomes = real(*arguments, **named)
        calls.append(len(outcomes))
        if len(calls) == 2:
            # Behind the orders' own rows, before the commit.
            raise KeyboardInterrupt
        return outcomes

    monkeypatch.setattr(routing, "push_each", dies)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.position, ERPExport.objects.count()) == ("RUNNING", 3, 3)
    # Its lease lives: nobody else is called, and who comes all the same goes home.
    tasks.bulk_jobs_due()
    jobs.run(job.pk)
    assert (sent_for, ERPExport.objects.count()) == ([], 3)
    BulkJob.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    tasks.bulk_jobs_due()
    assert sent_for == [str(job.pk)]
    tasks.run_bulk_job(sent_for[0])
    job.refresh_from_db()
    assert (job.state, job.done, ERPExport.objects.count()) == ("DONE", 7, 7)


def test_a_worker_that_lost_its_lease_does_nothing_more(job: BulkJob) -> None:
    late = jobs._take(job.pk)
    assert late
    BulkJob.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert jobs._take(job.pk)
    assert not jobs._portion(late)
    assert not ERPExport.objects.exists()


def test_it_stops_when_somebody_says_so(job: BulkJob) -> None:
    taken = jobs._take(job.pk)
    assert taken
    assert jobs._portion(taken)
    jobs.stop(job, actor="eva")
    assert not jobs._portion(taken)
    job.refresh_from_db()
    assert (job.state, job.done, ERPExport.objects.count(), job.order_ids) == ("STOPPED", 3, 3, [])
    assert AuditEntry.objects.get(action="stop bulk job").actor == "eva"
    jobs.run(job.pk)
    assert ERPExport.objects.count() == 3
    with pytest.raises(NotUnderWay, match="over already"):
        jobs.stop(job, actor="eva")


def test_a_retry_goes_over_the_connection_of_before_and_one_that_takes_none_refuses_its_own(
    orders: list[DraftOrder], organization: Organization, connection: ERPConnection
) -> None:
    jobs.run(jobs.ask(organization, Kind.PUSH, [order.pk for order in orders], actor="ops").pk)
    other = ERPConnection.objects.create(organization=organization, name="Old", connector_type="DROPZONE_JSON_V1")
    ERPExport.objects.filter(draft_order__in=orders[:2]).update(connection=other)
    ERPExport.objects.update(status="FAILED")
    DraftOrder.objects.update(status="ERROR")
    ERPConnection.objects.filter(pk=other.pk).update(status="DISABLED")
    job = jobs.ask(organization, Kind.RETRY, [order.pk for order in orders], actor="ops")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.done, job.refused) == (5, 2)
    assert job.refusals["connection_disabled"]["count"] == 2
    again = ERPExport.objects.exclude(supersedes=None)
    assert set(again.values_list("connection", flat=True)) == {connection.pk}


def test_another_organizations_order_is_none(job: BulkJob, orders: list[DraftOrder]) -> None:
    """S1. Whatever stands in the row."""
    other = Organization.objects.create(name="Globex", slug="globex")
    BulkJob.objects.filter(pk=job.pk).update(organization=other)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.done, job.refused) == (0, 7)
    assert not ERPExport.objects.exists()


def test_a_portion_of_many_asks_little_more_than_one_of_few(
    organization: Organization, orders: list[DraftOrder], make_order: MakeOrder
) -> None:
    """What is not the pushes themselves."""

    def beside_the_pushes(count: int) -> int:
        job = jobs.ask(organization, Kind.PUSH, [make_order(status="READY").pk for _ in range(count)], actor="ops")
        with CaptureQueriesContext(database) as caught:
            jobs.run(job.pk)
        return len(caught)

    assert beside_the_pushes(3) == beside_the_pushes(1)


def test_the_page_shows_the_progress_and_falls_silent_when_nothing_is_new(
    job: BulkJob, organization: Organization
) -> None:
    client = log_in(organization, Role.VIEWER)
    assert "0 of 7" in client.get(page_url(job)).content.decode()
    progress = f"/admin/exports/bulkjob/{job.pk}/progress/"
    assert client.get(progress, {"seen": "WAITING-0"}).status_code == 204
    taken = jobs._take(job.pk)
    assert taken
    jobs._portion(taken)
    fragment = client.get(progress, {"seen": "WAITING-0"})
    assert "3 of 7: 3 went, 0 refused, 4 left." in fragment.content.decode()
    assert "HX-Refresh" not in fragment
    jobs._portion(taken)
    jobs._portion(taken)
    assert client.get(progress, {"seen": "RUNNING-3"})["HX-Refresh"] == "true"
    assert progress not in client.get(page_url(job)).content.decode()


def test_only_so_many_are_taken_at_once(
    orders: list[DraftOrder], organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST", 4)
    client = log_in(organization, Role.OPS)
    page = client.get("/admin/orders/draftorder/all/push/").content.decode()
    assert "Push 4 orders" in page
    assert "The oldest 4 go now; ask again for the rest." in page
    url = "/admin/orders/draftorder/all/push/"
    client.post(url, dict(client.get(url).context["hidden"]))
    jobs.run(BulkJob.objects.get().pk)
    pushed = ERPExport.objects.values_list("draft_order", flat=True)
    assert set(pushed) == {order.pk for order in orders[:4]}


@pytest.mark.parametrize("portion", [7, 8, 6])
def test_a_job_of_exactly_one_portion_ends_with_it(portion: int, job: BulkJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PORTION", portion)
    taken = jobs._take(job.pk)
    assert taken
    assert jobs._portion(taken) == (portion < 7)
    job.refresh_from_db()
    assert job.state == ("RUNNING" if portion < 7 else "DONE")


@pytest.mark.parametrize("count", [6, 7, 8])
def test_the_list_says_that_there_are_more_only_when_there_are(
    count: int, orders: list[DraftOrder], organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST", count)
    page = log_in(organization, Role.OPS).get("/admin/orders/draftorder/all/push/").content.decode()
    assert f"Push {min(count, 7)} orders" in page
    assert ("ask again for the rest" in page) == (count < 7)


def test_a_job_takes_no_more_than_its_limit(
    orders: list[DraftOrder], organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST", 4)
    job = jobs.ask(organization, Kind.PUSH, [order.pk for order in orders], actor="ops")
    assert (job.total, job.order_ids) == (4, [str(order.pk) for order in orders[:4]])
    jobs.run(job.pk)
    assert ERPExport.objects.count() == 4


def test_a_second_retry_goes_over_the_connection_of_the_first_one(
    orders: list[DraftOrder], organization: Organization, connection: ERPConnection
) -> None:
    """Not over that of the export that the first one superseded."""
    ids = [order.pk for order in orders]
    jobs.run(jobs.ask(organization, Kind.PUSH, ids, actor="ops").pk)
    old = ERPConnection.objects.create(organization=organization, name="Old", connector_type="DROPZONE_JSON_V1")
    first = set(ERPExport.objects.values_list("pk", flat=True))
    ERPExport.objects.update(status="FAILED")
    DraftOrder.objects.update(status="ERROR")
    jobs.run(jobs.ask(organization, Kind.RETRY, ids, actor="ops").pk)
    second = ERPExport.objects.exclude(pk__in=first)
    ERPExport.objects.filter(pk__in=first).update(connection=old)
    assert second.update(status="FAILED") == len(ids)
    DraftOrder.objects.update(status="ERROR")
    assert list(routing.ways(organization, OrderStatus.ERROR, ids)) == [connection]
    jobs.run(jobs.ask(organization, Kind.RETRY, ids, actor="ops").pk)
    third = ERPExport.objects.filter(status="PENDING")
    assert set(third.values_list("draft_order", "connection")) == {(pk, connection.pk) for pk in ids}
