"""Failures by cause, and pushing a group of them again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.models import ERPConnection
from exports.bulk import jobs
from exports.bulk.models import BulkJob
from exports.decisions import failure_groups
from exports.models import ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.admin.forms import forms_of
from tests.support.tenants import log_in, page_url

Fail = Callable[..., ERPExport]


@pytest.fixture
def fail(push: Push) -> Fail:
    """A failed export, for the ERP's UNKNOWN_CUSTOMER unless told otherwise."""

    def fail(*, ago: timedelta = timedelta(), **fields: Any) -> ERPExport:
        export = push()
        values = {"cause": Cause.ERP_REFUSED, "error_code": "UNKNOWN_CUSTOMER", "error_message": "Unknown."} | fields
        rows = ERPExport.objects.filter(pk=export.pk)
        rows.move(ExportStatus.PENDING, ExportStatus.FAILED, settled_at=timezone.now() - ago, **values)
        DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
        export.refresh_from_db()
        return export

    return fail


def form_of(export: ERPExport) -> dict[str, str]:
    """As of now, with one export shown."""
    group = {"connection": str(export.connection_id), "cause": export.cause, "code": export.error_code}
    return {**group, "as_of": timezone.now().isoformat(), "shown": "1"}


def asked(organization: Organization, export: ERPExport) -> BulkJob:
    log_in(organization, Role.OPS).post(reverse("retry_failures"), form_of(export))
    return BulkJob.objects.latest("id")


def retried(organization: Organization, export: ERPExport) -> BulkJob:
    job = asked(organization, export)
    jobs.run(job.pk)
    job.refresh_from_db()
    return job


def grouped() -> dict[str, int]:
    return {
        found.group.title: found.count
        for found in failure_groups.grouped(ERPExport.objects.all(), DraftOrder.objects.all(), 10)
    }


def successors(*exports: ERPExport) -> int:
    return ERPExport.objects.filter(supersedes__in=exports).count()


def test_they_are_grouped_by_cause_and_the_erps_code_whatever_the_messages_name(fail: Fail) -> None:
    fail(error_message="Unknown customer 4711.")
    fail(error_message="Unknown customer 4712.")
    fail(error_code="LOCKED")
    fail(cause=Cause.UNREACHABLE, error_code="")
    assert grouped() == {
        "Refused by the ERP: UNKNOWN_CUSTOMER": 2,
        "Refused by the ERP: LOCKED": 1,
        "Server not usable, all tries used up": 1,
    }


def test_what_is_old_stays_among_them(organization: Organization, fail: Fail) -> None:
    """Until it is pushed again."""
    old = fail(ago=timedelta(days=400))
    assert grouped() == {"Refused by the ERP: UNKNOWN_CUSTOMER": 1}
    assert retried(organization, old).done == 1
    assert grouped() == {}


def test_what_was_pushed_again_or_taken_in_hand_is_not_among_them(organization: Organization, fail: Fail) -> None:
    again, edited = fail(), fail(error_code="LOCKED")
    retried(organization, again)
    assert successors(again) == 1
    DraftOrder.objects.filter(pk=edited.draft_order_id).update(status=OrderStatus.READY)
    assert grouped() == {}


def test_a_group_is_retried_over_its_connection_and_the_others_are_left(
    organization: Organization, fail: Fail, connection: ERPConnection
) -> None:
    ours, others = [fail(), fail()], [fail(error_code="LOCKED"), fail(cause=Cause.REJECTED, error_code="")]
    job = retried(organization, ours[0])
    assert (job.state, job.done, job.refusals) == ("DONE", 2, {})
    assert (successors(*ours), successors(*others)) == (2, 0)
    new = ERPExport.objects.filter(supersedes__in=ours)
    assert {(e.status, e.connection_id, e.requested_by) for e in new} == {("PENDING", connection.pk, "ops@acme")}


def test_what_fails_after_it_was_confirmed_is_left(organization: Organization, fail: Fail) -> None:
    first = fail()
    job = asked(organization, first)
    later = fail()
    jobs.run(job.pk)
    assert (successors(first), successors(later)) == (1, 0)


def test_the_page_counts_and_asks_and_the_post_has_a_worker_do_it(organization: Organization, fail: Fail) -> None:
    exports = [fail() for _ in range(7)]
    client = log_in(organization, Role.OPS)
    page = client.get(reverse("retry_failures"), form_of(exports[0])).content.decode()
    assert '<strong class="text-important">7 exports</strong>' in page
    assert "and 2 more." in page
    answer = client.post(reverse("retry_failures"), form_of(exports[0]))
    job = BulkJob.objects.get()
    assert answer["Location"] == page_url(job)
    assert (job.total, job.asked_by, successors(*exports)) == (7, "ops@acme", 0)
    jobs.run(job.pk)
    assert successors(*exports) == 7


def test_who_comes_second_is_told_so(organization: Organization, fail: Fail) -> None:
    export = fail()
    retried(organization, export)
    client = log_in(organization, Role.OPS)
    assert "someone else was quicker" in client.get(reverse("retry_failures"), form_of(export)).content.decode()
    again = client.post(reverse("retry_failures"), form_of(export), follow=True)
    assert "someone else was quicker" in again.content.decode()
    assert successors(export) == 1


@pytest.mark.parametrize("cause", [Cause.GIVEN_UP, Cause.LEFT_BEHIND, Cause.NAME_TAKEN])
def test_what_the_erp_may_have_is_warned_of(organization: Organization, fail: Fail, cause: str) -> None:
    doubtful, sure = fail(cause=cause, error_code=""), fail()
    client = log_in(organization, Role.OPS)
    assert "may have these orders" in client.get(reverse("retry_failures"), form_of(doubtful)).content.decode()
    assert "may have these orders" not in client.get(reverse("retry_failures"), form_of(sure)).content.decode()


@pytest.mark.parametrize("role", Role)
def test_roles(organization: Organization, fail: Fail, role: Role) -> None:
    """S14."""
    export = fail()
    client = log_in(organization, role)
    allowed = role in (Role.ADMIN, Role.OPS)
    assert (reverse("retry_failures") in client.get("/admin/").content.decode()) == allowed
    assert client.get(reverse("retry_failures"), form_of(export)).status_code == (200 if allowed else 403)
    assert client.post(reverse("retry_failures"), form_of(export)).status_code == (302 if allowed else 403)
    assert BulkJob.objects.count() == allowed


def test_another_organizations_group_does_not_exist(fail: Fail) -> None:
    """S1."""
    export = fail()
    globex = Organization.objects.create(name="Globex", slug="globex")
    for role in Role:
        client = log_in(globex, role)
        assert client.get(reverse("retry_failures"), form_of(export)).status_code == 404
        assert client.post(reverse("retry_failures"), form_of(export)).status_code == 404
    assert not BulkJob.objects.exists()


def test_a_post_needs_its_token_and_a_person(organization: Organization, fail: Fail) -> None:
    """S13."""
    export = fail()
    strict = log_in(organization, Role.OPS, enforce_csrf=True)
    assert strict.post(reverse("retry_failures"), form_of(export)).status_code == 403
    assert Client().post(reverse("retry_failures"), form_of(export)).status_code == 302
    assert not BulkJob.objects.exists()


@pytest.mark.parametrize("broken", [{}, {"connection": "x"}, {"connection": str(UUID(int=0)), "cause": "NO_SUCH"}])
def test_a_link_that_is_none_leads_to_the_dashboard(organization: Organization, broken: dict[str, str]) -> None:
    answer = log_in(organization, Role.OPS).get(reverse("retry_failures"), broken)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_what_failed_after_the_page_was_shown_is_not_retried(organization: Organization, fail: Fail) -> None:
    first = fail()
    client = log_in(organization, Role.OPS)
    page = client.get(reverse("retry_failures"), form_of(first)).content.decode()
    [form] = [form for form in forms_of(page) if "as_of" in form.fields]
    fail()
    client.post(reverse("retry_failures"), form.data())
    assert BulkJob.objects.get().order_ids == [str(first.draft_order_id)]


def test_those_that_somebody_else_retried_are_told(organization: Organization, fail: Fail) -> None:
    first, second = fail(), fail()
    client = log_in(organization, Role.OPS)
    page = client.get(reverse("retry_failures"), form_of(first)).content.decode()
    [form] = [form for form in forms_of(page) if "as_of" in form.fields]
    DraftOrder.objects.filter(pk=second.draft_order_id).move(OrderStatus.ERROR, OrderStatus.REJECTED)
    answer = client.post(reverse("retry_failures"), form.data(), follow=True).content.decode()
    assert "1 of those that you saw are left out" in answer
    assert BulkJob.objects.get().order_ids == [str(first.draft_order_id)]


def test_a_post_that_says_nothing_of_what_was_shown_asks_again(organization: Organization, fail: Fail) -> None:
    known = form_of(fail())
    answer = log_in(organization, Role.OPS).post(
        reverse("retry_failures"), {name: known[name] for name in ("connection", "cause", "code")}
    )
    assert "Yes, retry 1" in answer.content.decode()
    assert not BulkJob.objects.exists()


def test_a_group_of_more_than_one_job_takes_is_retried_the_oldest_first(
    organization: Organization, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST", 2)
    exports = [fail() for _ in range(3)]
    job = retried(organization, exports[0])
    assert (job.total, job.done) == (2, 2)
    assert [successors(export) for export in exports] == [1, 1, 0]
    assert retried(organization, exports[2]).done == 1
    assert successors(*exports) == 3
