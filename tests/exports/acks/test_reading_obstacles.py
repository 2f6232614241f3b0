"""While OrderFlow does not read the acknowledgements, an overdue one is no reason to ask the ERP, or to send again."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection as db
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors.connections import health
from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.acks import reading_obstacles
from exports.acks import unread as unread_acks
from exports.admin import timeline
from exports.decisions import give_up
from exports.incidents import detector, items, messages
from exports.incidents.models import Incident
from exports.models import ERPExport, Lane
from exports.rollback import guard
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import list_url, log_in, page_url

ASKED = ("whether these orders arrived", "No acknowledgement came in time")


@pytest.fixture
def overdue(sent: ERPExport, connection: ERPConnection) -> ERPExport:
    """Polled a moment ago, and not answered."""
    ack_poller.poll(connection.pk)
    ERPExport.objects.filter(pk=sent.pk).update(answer_due_at=timezone.now() - timedelta(hours=1))
    sent.refresh_from_db()
    return sent


def hinder(because: str, connection: ERPConnection, folder: Path) -> None:
    """Keep OrderFlow from reading."""
    if because == "blocked":
        health.block(connection.pk, "The log-in was refused.")
    elif because == "paused":
        for _ in range(min(health.PAUSES)):
            health.record_failure(connection.pk, "No answer.")
    elif because == "held":
        guard.hold("The database went back in time.")
    elif because == "polls fail":
        (folder / "acks").rename(folder / "elsewhere")
        with pytest.raises(ConnectorError):
            ack_poller.poll(connection.pk)
        ERPConnection.objects.update(blocked_at=None)
    else:
        Lane.objects.filter(kind="ACKS").update(last_run_at=F("last_run_at") - timedelta(hours=1))


def said(export: ERPExport, organization: Organization) -> list[str]:
    """By the e-mail, the pages of the export and the incident, and the dashboard."""
    detector.compare()
    incident = Incident.objects.get(kind=Incident.Kind.OVERDUE, closed_at=None)
    client = log_in(organization, Role.OPS)
    pages = (page_url(export), page_url(incident), "/admin/")
    mail = messages.opening(incident, items.untold(incident)).body
    return [mail, *(client.get(page).content.decode() for page in pages)]


@pytest.mark.parametrize(
    ("because", "why"),
    [
        ("blocked", "The connection is blocked: The log-in was refused."),
        ("paused", "The connection is paused until"),
        ("held", "Deliveries and polls are held: The database went back in time."),
        ("polls fail", "The last poll failed:"),
        ("workers stopped", "No worker has read its folder of acknowledgements since"),
    ],
)
def test_what_keeps_orderflow_from_reading_is_named_instead_of_asking_the_erp(  # noqa: PLR0917
    because: str, why: str, overdue: ERPExport, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    hinder(because, connection, folder)
    connection.refresh_from_db()
    assert reading_obstacles.obstacle(connection).startswith(why)
    for text in said(overdue, organization):
        assert "OrderFlow is not reading the acknowledgements of this connection" in text
        assert why in text
        assert not any(asked in text for asked in ASKED)
    assert "OrderFlow is not reading the answers." in timeline.standing(ERPExport.objects.get())


def test_a_connection_that_is_read_is_asked_about_at_the_erp(overdue: ERPExport, organization: Organization) -> None:
    mail, page, incident, _ = said(overdue, organization)
    assert ASKED[0] in mail
    assert ASKED[1] in page
    assert ASKED[0] in incident
    assert "not reading" not in mail + page + incident


def test_a_disabled_connection_that_awaits_acknowledgements_is_read(
    overdue: ERPExport, connection: ERPConnection
) -> None:
    ERPConnection.objects.update(status=ERPConnection.Status.DISABLED)
    ack_poller.poll(connection.pk)
    connection.refresh_from_db()
    assert reading_obstacles.obstacle(connection) == ""


def test_what_was_never_polled_is_not_read(sent: ERPExport, connection: ERPConnection) -> None:
    assert reading_obstacles.obstacle(connection).startswith("No worker has read its folder of acknowledgements yet.")


@pytest.mark.parametrize("because", ["blocked", "paused", "held", "polls fail", "workers stopped"])
def test_an_order_is_not_given_up_or_sent_again_without_a_word_on_what_keeps_orderflow_from_reading(
    because: str, overdue: ERPExport, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    hinder(because, connection, folder)
    warning = "OrderFlow is not reading the acknowledgements of this connection"
    client = log_in(organization, Role.OPS)
    chosen = {"action": "give_up", "_selected_action": [str(overdue.pk)]}
    assert warning in client.post(list_url(ERPExport), chosen).content.decode()
    given_up = give_up.give_up(overdue, actor="ops", reason="no answer")
    group = {"connection": str(connection.pk), "cause": given_up.cause, "code": given_up.error_code}
    retried = client.get(reverse("retry_failures"), group).content.decode()
    for page in (page_url(given_up), page_url(given_up.draft_order)):
        assert warning in client.get(page).content.decode()
    assert warning in retried
    ERPExport.objects.update(cause="ERP_REFUSED")
    assert warning not in client.get(page_url(given_up)).content.decode()


def test_advice_about_many_exports_takes_no_query_for_each(
    overdue: ERPExport, connection: ERPConnection, push: Push
) -> None:
    health.block(connection.pk, "The log-in was refused.")
    with CaptureQueriesContext(db) as one:
        assert unread_acks.advice(ERPExport.objects.all())
    for _ in range(5):
        ERPExport.objects.filter(pk=push().pk).update(status="SENT", sent_at=timezone.now())
    with CaptureQueriesContext(db) as many:
        assert unread_acks.advice(ERPExport.objects.all())
    assert len(many) == len(one)
