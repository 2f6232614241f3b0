"""Orders whose own attempts fail while their connection works are reported before the schedule gives them up."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.connections import health
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.incidents.detectors import waiting
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import ERPExport
from exports.models.status import ExportStatus
from exports.rollback import guard
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.exports.incidents.conftest import fail
from tests.exports.incidents.detectors.test_waiting import watched_for_long
from tests.exports.incidents.test_digests import linked
from tests.exports.incidents.test_incidents import disabled, open_kinds
from tests.servers.smtp import Mailbox
from tests.support.tenants import log_in, page_url

Kind = Incident.Kind
WHY = "The server has no room for the file."


def attempts_failed(export: ERPExport, tries: int) -> None:
    again = timezone.now() + timedelta(minutes=5, seconds=30)
    ERPExport.objects.filter(pk=export.pk).update(next_attempt_at=again, tries=tries, error_message=WHY)


def dashboard(organization: Organization) -> str:
    return " ".join(log_in(organization, Role.OPS).get("/admin/").content.decode().split())


@pytest.mark.usefixtures("recipient")
def test_an_order_is_reported_from_its_third_failed_attempt_until_it_is_sent(
    mailbox: Mailbox, push: Push, connection: ERPConnection, organization: Organization
) -> None:
    alone, other = push(), push()
    attempts_failed(alone, 2)
    assert open_kinds() == []
    attempts_failed(alone, 3)
    for _ in range(2):
        watch()
    assert mailbox.subjects == ["[OrderFlow] Acme, Folder: attempts fail, orders are retried: 1"]
    text = mailbox.mails[0].get_content()
    planned = "3 attempts failed. The next attempt is in"
    assert f"- Order {alone.draft_order}, TOMSP Toms Spezialitäten: {planned}" in text
    assert "What to do: Correct what the attempts met." in text
    assert other.filename not in text
    assert page_url(alone) in linked(organization, text)
    page = dashboard(organization)
    assert "Attempts of orders fail:" in page
    assert f"Order {alone.draft_order}: {planned}" in page
    assert f"The last one: {WHY}" in page
    assert "nothing else is open" not in page
    ERPExport.objects.filter(pk=alone.pk).update(next_attempt_at=None)
    assert open_kinds() == [Kind.RETRYING]
    drain.drain(connection.pk)
    watch()
    assert open_kinds() == []
    assert mailbox.subjects[1:] == ["[OrderFlow] Acme, Folder: resolved: attempts fail, orders are retried"]


def test_it_ends_when_the_order_has_failed_which_is_reported_as_that(push: Push, connection: ERPConnection) -> None:
    export = push()
    attempts_failed(export, 7)
    assert open_kinds() == [Kind.RETRYING]
    failed = fail(push)
    ERPExport.objects.filter(pk=export.pk).move(ExportStatus.PENDING, ExportStatus.FAILED, cause=failed.cause)
    assert open_kinds() == [Kind.FAILING]


@pytest.mark.parametrize("because", ["blocked", "paused", "disabled", "held"])
def test_attempts_that_fail_with_their_connection_are_reported_once(
    because: str, push: Push, connection: ERPConnection
) -> None:
    attempts_failed(push(), 4)
    if because == "blocked":
        health.block(connection.pk, "The log-in was refused.")
    elif because == "paused":
        for _ in range(min(health.PAUSES)):
            health.record_failure(connection.pk, "No answer.")
    elif because == "disabled":
        disabled(connection)
    else:
        guard.hold("The database went back in time.")
    assert open_kinds() == [getattr(Kind, because.upper())]
    assert open_kinds() == [getattr(Kind, because.upper())]


def test_after_a_pause_the_orders_have_time_to_leave(push: Push, connection: ERPConnection) -> None:
    attempts_failed(push(), 4)
    for _ in range(min(health.PAUSES)):
        health.record_failure(connection.pk, "No answer.")
    assert open_kinds() == [Kind.PAUSED]
    health.record_success(connection.pk)
    assert open_kinds() == []
    assert open_kinds() == []
    Incident.objects.update(closed_at=timezone.now() - waiting.CATCHES_UP - timedelta(seconds=1))
    assert open_kinds() == [Kind.RETRYING]


def test_what_is_retried_for_over_an_hour_is_reported_once(push: Push, connection: ERPConnection) -> None:
    watched_for_long()
    export = push()
    attempts_failed(export, 6)
    past: dict[str, Any] = {"created_at": timezone.now() - timedelta(hours=3)}
    ERPExport.objects.filter(pk=export.pk).update(**past)
    assert open_kinds() == [Kind.RETRYING]
