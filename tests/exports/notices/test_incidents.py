"""When an incident begins and when it is over."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from connectors import health
from connectors.models import ERPConnection
from exports import giving_up
from exports.causes import Cause
from exports.models import ERPExport
from exports.notices import watch
from exports.notices.models import Incident
from exports.notices.tasks import watch as watch_task
from exports.transitions import ExportStatus
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push
from tests.exports.notices.conftest import make_overdue

Kind = Incident.Kind


def open_kinds() -> list[str]:
    watch.compare()
    return sorted(Incident.objects.filter(closed_at=None).values_list("kind", flat=True))


def fail(push: Push, count: int, *, ago: timedelta = timedelta(), cause: str = Cause.ERP_REFUSED) -> None:
    for _ in range(count):
        ERPExport.objects.filter(pk=push().pk).move(
            ExportStatus.PENDING, ExportStatus.FAILED, settled_at=timezone.now() - ago, cause=cause
        )


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


def test_so_many_failures_are_an_incident_until_none_is_left(push: Push, settings: Any) -> None:
    settings.FAILING_EXPORTS = 3
    fail(push, 2)
    assert open_kinds() == []
    fail(push, 1)
    assert open_kinds() == [Kind.FAILING]
    ids = ERPExport.objects.values_list("pk", flat=True)
    old = timezone.now() - timedelta(seconds=watch.FAILING_WITHIN_S + 1)
    ERPExport.objects.filter(pk__in=list(ids)[:2]).update(settled_at=old)
    assert open_kinds() == [Kind.FAILING]
    ERPExport.objects.update(settled_at=old)
    assert open_kinds() == []


def test_failures_of_long_ago_and_what_people_gave_up_are_none(push: Push, settings: Any) -> None:
    settings.FAILING_EXPORTS = 1
    fail(push, 2, ago=timedelta(seconds=watch.FAILING_WITHIN_S + 1))
    fail(push, 2, cause=Cause.GIVEN_UP)
    assert open_kinds() == []


def test_an_answer_that_is_overdue_is_an_incident_until_it_comes(sent: ERPExport) -> None:
    make_overdue(sent)
    assert open_kinds() == [Kind.OVERDUE]
    giving_up.give_up(sent, actor="ops", reason="it was lost")
    assert open_kinds() == []


def test_one_connection_has_one_open_incident_of_a_kind(connection: ERPConnection, organization: Organization) -> None:
    health.block(connection.pk, "The log-in was refused.")
    watch.compare()
    twin = Incident(organization=organization, connection=connection, kind=Kind.BLOCKED, opened_at=timezone.now())
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
    # Open ones, unusable, failing, overdue; and the new ones, within a savepoint.
    with django_assert_max_num_queries(7):
        watch.compare()
    assert Incident.objects.count() == 21
    watch_task()
    assert Incident.objects.count() == 21
