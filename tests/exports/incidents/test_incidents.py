"""When an incident begins and when it is over."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConnectorError
from connectors.models import ConnectionEvent, ERPConnection
from exports import ack_poller, push_service
from exports.decisions import give_up, in_doubt, resolve
from exports.incidents import detector, endings
from exports.incidents.detectors import connections
from exports.incidents.models import Incident
from exports.incidents.tasks import watch as watch_task
from exports.models import ERPExport, Lane
from exports.models.failure_cause import Cause
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push
from tests.exports.incidents.conftest import fail, make_overdue
from tests.servers.smtp import Mailbox

Kind = Incident.Kind


def open_kinds() -> list[str]:
    detector.compare()
    return sorted(Incident.objects.filter(closed_at=None).values_list("kind", flat=True))


def test_nothing_wrong_is_no_incident(sent: ERPExport) -> None:
    assert open_kinds() == []


def test_a_blocked_connection_is_one_incident_until_it_is_released(
    connection: ERPConnection, organization: Organization
) -> None:
    health.block(connection.pk, "The log-in was refused.")
    connection.refresh_from_db()
    assert open_kinds() == [Kind.BLOCKED]
    assert open_kinds() == [Kind.BLOCKED]
    incident = Incident.objects.get()
    assert (incident.connection, incident.organization) == (connection, organization)
    assert incident.opened_at == connection.blocked_at
    health.release(connection.pk, actor="ops", cause="A test passed.")
    assert open_kinds() == []
    incident.refresh_from_db()
    assert incident.closed_at is not None


def test_a_connection_that_is_blocked_again_is_another_incident(connection: ERPConnection) -> None:
    for _ in range(2):
        health.block(connection.pk, "The log-in was refused.")
        assert open_kinds() == [Kind.BLOCKED]
        health.release(connection.pk, actor="ops", cause="A test passed.")
        assert open_kinds() == []
    assert Incident.objects.count() == 2


def test_a_disabled_connection_is_nobodys_trouble(connection: ERPConnection) -> None:
    health.block(connection.pk, "The log-in was refused.")
    ERPConnection.objects.update(status=ERPConnection.Status.DISABLED)
    assert open_kinds() == []


def test_a_pause_is_one_incident_until_a_session_succeeds(connection: ERPConnection) -> None:
    for _ in range(min(health.PAUSES)):
        assert open_kinds() == []
        health.record_failure(connection.pk, "No answer.")
    assert open_kinds() == [Kind.PAUSED]
    # Its time is over, and nobody has seen yet whether the server is back.
    ERPConnection.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    assert open_kinds() == [Kind.PAUSED]
    health.record_success(connection.pk)
    assert open_kinds() == []
    assert Incident.objects.count() == 1


def test_a_pause_that_becomes_a_block_is_both(connection: ERPConnection) -> None:
    for _ in range(min(health.PAUSES)):
        health.record_failure(connection.pk, "No answer.")
    health.block(connection.pk, "Another host key.")
    assert open_kinds() == [Kind.BLOCKED, Kind.PAUSED]


def test_the_first_failed_order_is_an_incident_until_no_order_is_left_in_error(push: Push) -> None:
    """However long ago it failed."""
    first, second = fail(push, ago=timedelta(days=3)), fail(push)
    assert open_kinds() == [Kind.FAILING]
    assert Incident.objects.get().opened_at == ERPExport.objects.get(pk=first.pk).settled_at
    push_service.retry(PushRequest(order=first.draft_order, actor="ops", connection=first.connection))
    assert open_kinds() == [Kind.FAILING]
    DraftOrder.objects.filter(pk=second.draft_order_id).move(OrderStatus.ERROR, OrderStatus.REJECTED)
    assert open_kinds() == []
    assert Incident.objects.count() == 1


def test_so_many_failures_open_it_and_fewer_do_not_end_it(push: Push, settings: Any) -> None:
    settings.FAILING_EXPORTS = 3
    exports = [fail(push), fail(push)]
    assert open_kinds() == []
    fail(push)
    assert open_kinds() == [Kind.FAILING]
    for export in exports:
        DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.ERROR, OrderStatus.REJECTED)
    assert open_kinds() == [Kind.FAILING]


def test_what_people_gave_up_is_no_incident(push: Push) -> None:
    fail(push, cause=Cause.GIVEN_UP)
    assert open_kinds() == []


def test_an_export_in_doubt_is_an_incident_until_a_person_decides(push: Push) -> None:
    export = push()
    in_doubt.mark({export.pk: "The folder is gone."}, 0)
    assert open_kinds() == [Kind.IN_DOUBT]
    export.refresh_from_db()
    resolve.decide(export, delivered=True, actor="ops", reason="seen in the ERP")
    assert open_kinds() == []


def test_polls_that_fail_for_long_are_an_incident_until_one_works(connection: ERPConnection, folder: Path) -> None:
    (folder / "acks").rmdir()
    with pytest.raises(ConnectorError):
        ack_poller.poll(connection.pk)
    ERPConnection.objects.update(blocked_at=None, blocked_reason="")
    assert Lane.objects.get(kind=Lane.Kind.ACKS).last_error
    assert open_kinds() == []
    events = ConnectionEvent.objects.filter(kind=ConnectionEvent.Kind.POLL_FAILED)
    QuerySet.update(events, at=timezone.now() - connections.POLLING_FAILS_FOR)
    assert open_kinds() == [Kind.POLLING]
    assert "acks" in Incident.objects.get().reason
    (folder / "acks").mkdir()
    ack_poller.poll(connection.pk)
    assert open_kinds() == []


def disabled(connection: ERPConnection) -> None:
    connection_service.save(connection, ConnectionChanges(is_default=False), actor="ops")
    connection.refresh_from_db()
    connection_service.save(connection, ConnectionChanges(status=ERPConnection.Status.DISABLED), actor="ops")


def polls_have_failed(connection: ERPConnection, folder: Path) -> None:
    (folder / "acks").rmdir()
    with pytest.raises(ConnectorError):
        ack_poller.poll(connection.pk)
    ERPConnection.objects.update(blocked_at=None, blocked_reason="")
    events = ConnectionEvent.objects.filter(kind=ConnectionEvent.Kind.POLL_FAILED)
    QuerySet.update(events, at=timezone.now() - connections.POLLING_FAILS_FOR)


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize("end", ["blocked", "paused", "disabled"])
def test_polls_that_failed_are_over_only_when_one_works(
    end: str, sent: ERPExport, connection: ERPConnection, folder: Path, mailbox: Mailbox
) -> None:
    """No poll runs while the connection is blocked or paused; one that is disabled is still polled."""
    polls_have_failed(connection, folder)
    watch_task()
    assert open_kinds() == [Kind.POLLING]
    if end == "blocked":
        health.block(connection.pk, "The log-in was refused.")
    elif end == "paused":
        for _ in range(min(health.PAUSES)):
            health.record_failure(connection.pk, "No answer.")
    else:
        disabled(connection)
    for _ in range(2):
        watch_task()
    assert Kind.POLLING in open_kinds()
    health.release(connection.pk, actor="ops", cause="A test passed.")
    (folder / "acks").mkdir()
    ack_poller.poll(connection.pk)
    watch_task()
    assert open_kinds() == []
    (text,) = [mail.get_content() for mail in mailbox.mails if "resolved: acknowledgements" in mail["subject"]]
    assert "The acknowledgements were read." in text


@pytest.mark.parametrize("state", ["blocked", "paused", "disabled"])
def test_a_connection_out_of_use_begins_no_incident_of_polls(
    state: str, sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    polls_have_failed(connection, folder)
    if state == "disabled":
        disabled(connection)
    elif state == "blocked":
        health.block(connection.pk, "The log-in was refused.")
    else:
        for _ in range(min(health.PAUSES)):
            health.record_failure(connection.pk, "No answer.")
    assert Kind.POLLING not in open_kinds()


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize(
    ("waiting", "told"),
    [(0, ""), (1, "; 1 order waits until it is enabled"), (2, "; 2 orders wait until it is enabled")],
    ids=str,
)
@pytest.mark.parametrize("kind", [Kind.BLOCKED, Kind.PAUSED, Kind.POLLING])
def test_what_ends_because_the_connection_was_disabled_says_so_and_how_many_orders_wait(  # noqa: PLR0917
    kind: str, waiting: int, told: str, push: Push, connection: ERPConnection, folder: Path, mailbox: Mailbox
) -> None:
    for _ in range(waiting):
        push()
    if kind == Kind.POLLING:
        polls_have_failed(connection, folder)
    elif kind == Kind.BLOCKED:
        health.block(connection.pk, "The log-in was refused.")
    else:
        for _ in range(min(health.PAUSES)):
            health.record_failure(connection.pk, "No answer.")
    watch_task()
    assert open_kinds() == [kind]
    disabled(connection)
    watch_task()
    watch_task()
    # The orders that go on waiting have an incident of their own.
    assert open_kinds() == ([Kind.DISABLED] if waiting else [])
    (closing,) = [mail.get_content() for mail in mailbox.mails if "resolved: " in mail["subject"]]
    assert f"The connection was edited and is disabled{told}." in closing
    assert not any(text in closing for text in endings.NOTHING_LEFT.values())


def test_an_answer_that_is_overdue_is_an_incident_until_it_comes(sent: ERPExport) -> None:
    make_overdue(sent)
    assert open_kinds() == [Kind.OVERDUE]
    give_up.give_up(sent, actor="ops", reason="it was lost")
    assert open_kinds() == []


def test_one_connection_has_one_open_incident_of_a_kind(connection: ERPConnection, organization: Organization) -> None:
    health.block(connection.pk, "The log-in was refused.")
    detector.compare()
    same = {"subject": str(connection.pk), "kind": Kind.BLOCKED, "opened_at": timezone.now()}
    twin = Incident(organization=organization, connection=connection, **same)
    with pytest.raises(IntegrityError):
        twin.save()


def test_many_connections_are_compared_in_as_many_queries(
    sent: ERPExport, organization: Organization, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_overdue(sent)
    for number in range(20):
        row = ERPConnection.objects.create(
            organization=organization, name=f"More {number}", connector_type="DROPZONE_JSON_V1", config_encrypted=b""
        )
        health.block(row.pk, "The log-in was refused.")
    # Acks that resolve themselves, each kind of problem, open ones; and the new ones, within a savepoint.
    with django_assert_max_num_queries(28):
        detector.compare()
    assert Incident.objects.count() == 21
    watch_task()
    assert Incident.objects.count() == 21
