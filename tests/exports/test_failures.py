"""Failures by cause, and pushing a group of them again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from connectors.models import ERPConnection
from exports import failures, tasks
from exports.causes import Cause
from exports.dashboard import retry as retry_page
from exports.failures import FailureGroup
from exports.models import ERPExport
from exports.transitions import ExportStatus
from orderflow.celery import app
from orderflow.orders.models import DraftOrder
from orderflow.orders.transitions import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.tenants import log_in

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


def group_of(export: ERPExport) -> FailureGroup:
    return FailureGroup(connection_id=export.connection_id, cause=export.cause, error_code=export.error_code)


def form_of(export: ERPExport) -> dict[str, str]:
    return {"connection": str(export.connection_id), "cause": export.cause, "code": export.error_code}


def grouped() -> dict[str, int]:
    return {found.group.title: found.count for found in failures.grouped(ERPExport.objects.all(), 10)}


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


def test_what_is_old_pushed_again_or_taken_in_hand_is_not_among_them(fail: Fail) -> None:
    fail(ago=failures.LATELY + timedelta(minutes=1))
    again, edited = fail(), fail()
    failures.retry(group_of(again), until=again.settled_at or timezone.now(), actor="ops")
    assert successors(again) == 1
    DraftOrder.objects.filter(pk=edited.draft_order_id).update(status=OrderStatus.READY)
    assert grouped() == {}


def test_a_group_is_retried_over_its_connection_and_the_others_are_left(fail: Fail, connection: ERPConnection) -> None:
    ours, others = [fail(), fail()], [fail(error_code="LOCKED"), fail(cause=Cause.REJECTED, error_code="")]
    retried = failures.retry(group_of(ours[0]), until=timezone.now(), actor="ops")
    assert (retried.count, retried.refusals) == (2, ())
    assert (successors(*ours), successors(*others)) == (2, 0)
    new = ERPExport.objects.filter(supersedes__in=ours)
    assert {(e.status, e.connection_id, e.requested_by) for e in new} == {("PENDING", connection.pk, "ops")}


def test_what_fails_again_afterwards_is_not_retried_again(fail: Fail) -> None:
    first = fail()
    until = timezone.now()
    later = fail()
    failures.retry(group_of(first), until=until, actor="ops")
    assert (successors(first), successors(later)) == (1, 0)


def test_many_are_retried_in_batches_and_wake_the_lane(
    fail: Fail, monkeypatch: pytest.MonkeyPatch, queue: list[UUID], django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(failures, "BATCH", 2)
    exports = [fail() for _ in range(5)]
    with django_capture_on_commit_callbacks(execute=True):
        assert failures.retry(group_of(exports[0]), until=timezone.now(), actor="ops").count == 5
    assert successors(*exports) == 5
    assert queue == [exports[0].connection_id]


def test_refusals_are_told(fail: Fail) -> None:
    export = fail()
    ERPConnection.objects.update(status=ERPConnection.Status.DISABLED)
    retried = failures.retry(group_of(export), until=timezone.now(), actor="ops")
    assert retried.count == 0
    assert "is disabled" in retried.refusals[0]


def test_the_page_counts_and_asks_and_the_post_does_it(organization: Organization, fail: Fail) -> None:
    exports = [fail() for _ in range(7)]
    client = log_in(organization, Role.OPS)
    page = client.get(reverse("retry_failures"), form_of(exports[0])).content.decode()
    assert '<strong class="text-important">7 exports</strong>' in page
    assert "and 2 more." in page
    assert successors(*exports) == 0
    answer = client.post(reverse("retry_failures"), form_of(exports[0]), follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert "7 exports retried." in answer.content.decode()
    assert successors(*exports) == 7


def test_who_comes_second_is_told_so(organization: Organization, fail: Fail) -> None:
    export = fail()
    client = log_in(organization, Role.OPS)
    client.post(reverse("retry_failures"), form_of(export))
    assert "somebody else was quicker" in client.get(reverse("retry_failures"), form_of(export)).content.decode()
    again = client.post(reverse("retry_failures"), form_of(export), follow=True)
    assert "somebody else was quicker" in again.content.decode()
    assert successors(export) == 1


@pytest.mark.parametrize("cause", [Cause.GIVEN_UP, Cause.LEFT_BEHIND, Cause.NAME_TAKEN])
def test_what_the_erp_may_have_is_warned_of(organization: Organization, fail: Fail, cause: str) -> None:
    doubtful, sure = fail(cause=cause, error_code=""), fail()
    client = log_in(organization, Role.OPS)
    assert "may have these orders" in client.get(reverse("retry_failures"), form_of(doubtful)).content.decode()
    assert "may have these orders" not in client.get(reverse("retry_failures"), form_of(sure)).content.decode()


def test_many_go_in_the_background(organization: Organization, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    exports = [fail(), fail()]
    messages: list[list[str]] = []
    monkeypatch.setattr(retry_page, "AT_ONCE", 1)
    monkeypatch.setattr(app, "send_task", lambda _name, args, *_args, **_kwargs: messages.append(list(args)))
    client = log_in(organization, Role.OPS)
    assert "in the background" in client.get(reverse("retry_failures"), form_of(exports[0])).content.decode()
    page = client.post(reverse("retry_failures"), form_of(exports[0]), follow=True).content.decode()
    assert "2 exports are being retried." in page
    assert successors(*exports) == 0
    (message,) = messages
    for _ in range(2):
        tasks.retry_failures(*message)
    assert successors(*exports) == 2
    assert set(ERPExport.objects.filter(supersedes__in=exports).values_list("requested_by", flat=True)) == {"ops@acme"}


def test_a_broker_that_is_away_is_told(organization: Organization, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    export = fail()

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OperationalError

    monkeypatch.setattr(retry_page, "AT_ONCE", 0)
    monkeypatch.setattr(app, "send_task", refuse)
    answer = log_in(organization, Role.OPS).post(reverse("retry_failures"), form_of(export), follow=True)
    assert "nothing was retried" in answer.content.decode()


@pytest.mark.parametrize("role", Role)
def test_roles(organization: Organization, fail: Fail, role: Role) -> None:
    """S14."""
    export = fail()
    client = log_in(organization, role)
    allowed = role in (Role.ADMIN, Role.OPS)
    assert (reverse("retry_failures") in client.get("/admin/").content.decode()) == allowed
    assert client.get(reverse("retry_failures"), form_of(export)).status_code == (200 if allowed else 403)
    assert client.post(reverse("retry_failures"), form_of(export)).status_code == (302 if allowed else 403)
    assert successors(export) == allowed


def test_another_organizations_group_does_not_exist(fail: Fail) -> None:
    """S1."""
    export = fail()
    globex = Organization.objects.create(name="Globex", slug="globex")
    for role in Role:
        client = log_in(globex, role)
        assert client.get(reverse("retry_failures"), form_of(export)).status_code == 404
        assert client.post(reverse("retry_failures"), form_of(export)).status_code == 404
    assert successors(export) == 0


def test_a_post_needs_its_token_and_a_person(organization: Organization, fail: Fail) -> None:
    """S13."""
    export = fail()
    strict = log_in(organization, Role.OPS, enforce_csrf=True)
    assert strict.post(reverse("retry_failures"), form_of(export)).status_code == 403
    assert Client().post(reverse("retry_failures"), form_of(export)).status_code == 302
    assert successors(export) == 0


@pytest.mark.parametrize("broken", [{}, {"connection": "x"}, {"connection": str(UUID(int=0)), "cause": "NO_SUCH"}])
def test_a_link_that_is_none_leads_to_the_dashboard(organization: Organization, broken: dict[str, str]) -> None:
    answer = log_in(organization, Role.OPS).get(reverse("retry_failures"), broken)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
