"""No order waits unreported: for a disabled connection, or for long for any other reason."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.decisions import give_up
from exports.delivery import drain
from exports.incidents.detectors import components, waiting
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from exports.rollback import guard
from orderflow.heartbeats.models import Heartbeat
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.exports.incidents.test_digests import linked
from tests.exports.incidents.test_incidents import disabled, open_kinds
from tests.servers.smtp import Mailbox
from tests.support.heartbeats import ago, everything_ran
from tests.support.tenants import log_in, page_url

Kind = Incident.Kind
ABOUT = "[OrderFlow] Acme, Folder: "


def enabled(connection: ERPConnection) -> None:
    connection.refresh_from_db()
    connection_service.save(connection, ConnectionChanges(status=ERPConnection.Status.ACTIVE), actor="ops")


def dashboard(organization: Organization) -> str:
    return " ".join(log_in(organization, Role.OPS).get("/admin/").content.decode().split())


def pushed_long_ago(*exports: ERPExport, ago: timedelta = waiting.LONG) -> None:
    past = timezone.now() - ago - timedelta(minutes=1)
    ERPExport.objects.filter(pk__in=[export.pk for export in exports]).update(created_at=past)


def watched_for_long() -> None:
    everything_ran()
    ago(components.WATCH, 1)


@pytest.mark.usefixtures("recipient")
def test_orders_of_a_disabled_connection_are_reported_at_once_with_the_way_out(
    mailbox: Mailbox, push: Push, connection: ERPConnection, organization: Organization
) -> None:
    exports = [push() for _ in range(5)]
    watched_for_long()
    disabled(connection)
    assert "nothing else is open" not in dashboard(organization)
    for _ in range(3):
        watch()
    assert mailbox.subjects == [f"{ABOUT}orders wait for a disabled connection: 5"]
    text = mailbox.mails[0].get_content()
    lines = [f"- Order {each.draft_order}, TOMSP Toms Spezialitäten: {each.filename}" for each in exports]
    assert all(line in text for line in lines)
    assert "An administrator or integrator enables the connection" in text
    assert "use Withdraw or Stop sending" in text.replace("\n", " ")
    listed = linked(organization, text)
    assert all(page_url(export) in listed for export in exports)
    page = dashboard(organization)
    assert "Orders wait for a disabled connection:" in page
    assert "Waiting: PO-1, PO-2, PO-3 and 2 more." in page
    assert "enables the connection" in page


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize(
    ("way_out", "why"),
    [
        ("enabled", "The connection was enabled. 1 order waits to be sent over it."),
        ("ended", "No order waits for this connection any more."),
    ],
)
def test_it_is_over_when_the_connection_is_enabled_or_no_order_waits(
    way_out: str, why: str, mailbox: Mailbox, push: Push, connection: ERPConnection
) -> None:
    export = push()
    disabled(connection)
    watch()
    drain.drain(connection.pk)
    watch()
    assert open_kinds() == [Kind.DISABLED]
    if way_out == "enabled":
        enabled(connection)
    else:
        rows = ERPExport.objects.filter(pk=export.pk)
        ended = {"settled_at": timezone.now(), "cause": Cause.GIVEN_UP}
        rows.move(ExportStatus.PENDING, ExportStatus.FAILED, **ended)
        DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
    watch()
    assert open_kinds() == []
    assert why in mailbox.mails[-1].get_content()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == (ExportStatus.SENT if way_out == "enabled" else ExportStatus.FAILED)


def test_a_disabled_connection_that_nothing_waits_for_is_no_incident(
    sent: ERPExport, push: Push, connection: ERPConnection
) -> None:
    ERPExport.objects.filter(pk=push().pk).update(undecided_since=timezone.now())
    disabled(connection)
    assert open_kinds() == [Kind.IN_DOUBT]


def test_a_block_of_a_disabled_connection_is_reported_while_it_awaits_an_answer(
    sent: ERPExport, connection: ERPConnection
) -> None:
    """Nobody polls it then."""
    disabled(connection)
    assert open_kinds() == []
    health.block(connection.pk, "The log-in was refused.")
    assert open_kinds() == [Kind.BLOCKED]
    give_up.give_up(sent, actor="ops", reason="it was lost")
    assert open_kinds() == []


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("released", "The connection is released."),
        ("repaired", "The connection was edited and is disabled."),
        ("given up", "It awaits no acknowledgement any more."),
    ],
)
def test_the_end_of_such_a_block_does_not_claim_that_the_connection_was_just_disabled(
    end: str, why: str, mailbox: Mailbox, sent: ERPExport, connection: ERPConnection
) -> None:
    disabled(connection)
    health.block(connection.pk, "The log-in was refused.")
    watch()
    if end == "repaired":
        # With an edit of the connection.
        ERPConnection.objects.update(blocked_at=None, blocked_reason="", updated_at=timezone.now())
    elif end == "released":
        health.release(connection.pk, actor="ops", cause="A test passed.")
    else:
        give_up.give_up(sent, actor="ops", reason="it was lost")
    watch()
    assert why in mailbox.mails[-1].get_content()
    assert "was disabled" not in mailbox.mails[-1].get_content()


def test_an_organization_whose_only_connection_is_disabled_has_the_incident_that_all_is_held(
    sent: ERPExport, connection: ERPConnection
) -> None:
    """Its acknowledgements are not read."""
    disabled(connection)
    guard.hold("The database went back in time.")
    assert open_kinds() == [Kind.HELD]


@pytest.mark.usefixtures("recipient")
def test_an_order_that_fails_alone_for_over_an_hour_is_reported_before_it_is_given_up(
    mailbox: Mailbox, push: Push, connection: ERPConnection, organization: Organization
) -> None:
    """From the third failed attempt, the incident is `RETRYING`."""
    watched_for_long()
    alone, young = push(), push()
    again = timezone.now() + timedelta(hours=4)
    why = "The server keeps no file of that name."
    ERPExport.objects.filter(pk=alone.pk).update(next_attempt_at=again, tries=2, error_message=why)
    assert open_kinds() == []
    pushed_long_ago(alone)
    for _ in range(2):
        watch()
    assert mailbox.subjects == [f"{ABOUT}orders not delivered for over an hour: 1"]
    text = mailbox.mails[0].get_content()
    assert f"Order {alone.draft_order}, TOMSP Toms Spezialitäten, pushed " in text
    assert f"{why} The next attempt is in 3" in text
    assert young.filename not in text
    assert f"Waiting: {alone.draft_order}." in dashboard(organization)
    ERPExport.objects.filter(pk=alone.pk).update(next_attempt_at=None)
    drain.drain(connection.pk)
    watch()
    assert open_kinds() == []


@pytest.mark.parametrize("because", ["blocked", "paused", "disabled", "held", "just started"])
def test_what_another_incident_explains_is_reported_once(because: str, push: Push, connection: ERPConnection) -> None:
    watched_for_long()
    pushed_long_ago(push(), ago=timedelta(hours=5))
    if because == "blocked":
        health.block(connection.pk, "The log-in was refused.")
    elif because == "paused":
        for _ in range(min(health.PAUSES)):
            health.record_failure(connection.pk, "No answer.")
    elif because == "disabled":
        disabled(connection)
    elif because == "held":
        guard.hold("The database went back in time.")
    else:
        Heartbeat.objects.all().delete()
        everything_ran()
    # What holds everything is found in the same comparison that the wait is.
    for _ in range(2):
        assert Kind.WAITING not in open_kinds()


def test_what_waited_for_a_pause_has_time_to_leave_and_is_reported_afterwards(
    push: Push, connection: ERPConnection
) -> None:
    watched_for_long()
    pushed_long_ago(push())
    for _ in range(min(health.PAUSES)):
        health.record_failure(connection.pk, "No answer.")
    assert open_kinds() == [Kind.PAUSED]
    health.record_success(connection.pk)
    assert open_kinds() == []
    assert open_kinds() == []
    Incident.objects.update(closed_at=timezone.now() - waiting.CATCHES_UP - timedelta(seconds=1))
    assert open_kinds() == [Kind.WAITING]
    health.block(connection.pk, "The log-in was refused.")
    # It goes on until the orders have left.
    assert open_kinds() == [Kind.BLOCKED, Kind.WAITING]


def test_a_connector_that_is_not_installed_any_more_blocks_its_connection(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    """So the orders that wait for it have an incident."""
    push()
    ERPConnection.objects.filter(pk=connection.pk).update(connector_type="GONE_V1")
    drain.drain(connection.pk)
    assert open_kinds() == [Kind.BLOCKED]
    assert "GONE_V1" in Incident.objects.get().reason
