"""Paused, resumed, blocked, released: each told once on the connection, and what waited goes at once."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connections, transaction
from django.db import connection as database
from django.utils import timezone

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import NotPaused
from connectors.models import ConnectionEvent, ERPConnection
from connectors.ports import AckEntry
from exports import ack_poller
from exports.acks import recorder as ack_recorder
from exports.acks.schedule import due_for_polling
from exports.delivery import drain
from exports.lanes import leases
from exports.models import ERPExport, Lane
from orderflow.db.append_only import HistoryIsFixed
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs
from tests.exports.conftest import Push, connect_to, names
from tests.exports.conftest import edit as edit_as
from tests.servers.ports import free_port
from tests.servers.sftp.asyncssh_server import PASSWORD, AsyncSSHServer, asyncssh_server

Told = list[tuple[str, str]]
edit = partial(edit_as, actor="ina")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AsyncSSHServer]:
    with asyncssh_server(tmp_path / "server") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


@pytest.fixture
def connection(organization: Organization, server: AsyncSSHServer, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization)


def told(connection: ERPConnection) -> Told:
    return list(connection.events.values_list("kind", "actor"))


def told_of(export: ERPExport) -> list[str]:
    return list(export.events.values_list("kind", flat=True))


def fail(connection: ERPConnection, times: int) -> None:
    """So many sweeps find the server away."""
    for _ in range(times):
        ERPConnection.objects.update(paused_until=None)
        ERPExport.objects.update(next_attempt_at=None, tries=0)
        drain.drain(connection.pk)


def test_a_wrong_password_is_tried_once_told_once_and_an_edit_sends_what_waited(
    push: Push,
    connection: ERPConnection,
    server: AsyncSSHServer,
    queue: list[UUID],
    django_capture_on_commit_callbacks: Any,
) -> None:
    """F18."""
    edit(connection, password="wrong")
    exports = [push() for _ in range(3)]
    for _ in range(3):
        drain.drain(connection.pk)
    assert server.attempts.count(("password", "wrong")) == 1
    assert told(connection) == [("BLOCKED", "")]
    event = connection.events.get()
    assert "refused the password of user 'erp'" in event.message
    assert "wrong" not in event.message
    assert all(told_of(export) == ["REQUESTED", "BLOCKED"] for export in exports)

    with django_capture_on_commit_callbacks(execute=True):
        edit(connection, password=PASSWORD)
    assert told(connection) == [("BLOCKED", ""), ("RELEASED", "ina")]
    assert queue == [connection.pk]
    drain.drain(connection.pk)
    assert names(server.root / "in") == sorted(export.filename for export in exports)
    assert told_of(exports[0]) == ["REQUESTED", "BLOCKED", "RELEASED", "STAGED", "SENT"]


def test_a_test_that_passes_releases_and_one_that_fails_does_not(
    push: Push, connection: ERPConnection, server: AsyncSSHServer
) -> None:
    """F18."""
    (server.root / "in").rename(server.root / "gone")
    push()
    drain.drain(connection.pk)
    assert not connection_service.test(connection, actor="ina").success
    assert told(connection) == [("BLOCKED", "")]
    (server.root / "gone").rename(server.root / "in")
    assert connection_service.test(connection, actor="ina").success
    assert told(connection) == [("BLOCKED", ""), ("RELEASED", "ina")]
    drain.drain(connection.pk)
    assert ERPExport.objects.get().status == "SENT"


def test_what_an_old_password_ran_into_does_not_block_the_new_one(connection: ERPConnection) -> None:
    """F26: the worker had read the connection before it was edited."""
    seen = connection.revision
    edit(connection, password=PASSWORD)
    assert not health.block(connection.pk, "The password was refused.", revision=seen)
    connection.refresh_from_db()
    assert connection.blocked_at is None
    assert health.block(connection.pk, "The password was refused.", revision=connection.revision)


def test_one_drain_meets_a_server_that_is_away_once(push: Push, connection: ERPConnection, settings: Any) -> None:
    """The others that are due would only wait for it as long again."""
    settings.DELIVERY_BATCH_SIZE = 1
    edit(connection, port=free_port())
    first, second = push(), push()
    drain.drain(connection.pk)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.tries, second.tries) == (1, 0)


def test_a_server_that_is_away_for_long_has_three_lines_and_not_one_for_each_try(
    push: Push, connection: ERPConnection
) -> None:
    edit(connection, port=free_port())
    for _ in range(5):
        push()
    fail(connection, 12)
    assert told(connection) == [("PAUSED", "")] * 3
    assert "refused the connection" in connection.events.all()[0].message


def test_a_pause_is_told_and_ended_by_hand_and_the_orders_go_at_once(
    push: Push,
    connection: ERPConnection,
    server: AsyncSSHServer,
    queue: list[UUID],
    django_capture_on_commit_callbacks: Any,
) -> None:
    port = server.port
    edit(connection, port=free_port())
    export = push()
    fail(connection, 3)
    # Not by an edit, which would end the pause by itself: the server is up again where it was.
    stored = connection.stored_config()
    connection.set_config({**stored, "port": port})
    connection.save(update_fields=["config_encrypted"])
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, told_of(export)) == ("PENDING", ["REQUESTED", "RETRY", "RETRY", "RETRY"])

    with django_capture_on_commit_callbacks(execute=True):
        connection_service.resume(connection, actor="eva")
    assert told(connection) == [("PAUSED", ""), ("RESUMED", "eva")]
    assert queue == [connection.pk]
    assert AuditEntry.objects.filter(action="resume connection", actor="eva").count() == 1
    export.refresh_from_db()
    assert export.next_attempt_at is None
    drain.drain(connection.pk)
    assert told_of(export)[4:] == ["RELEASED", "STAGED", "SENT"]
    with pytest.raises(NotPaused, match="'SFTP' is not paused"):
        connection_service.resume(connection, actor="eva")


def test_a_success_after_a_pause_is_told_and_what_was_planned_for_hours_later_goes_too(
    push: Push, connection: ERPConnection, server: AsyncSSHServer
) -> None:
    port = server.port
    edit(connection, port=free_port())
    old = push()
    fail(connection, 3)
    later = timezone.now() + timedelta(hours=4)
    ERPExport.objects.update(next_attempt_at=later)
    ERPConnection.objects.update(paused_until=timezone.now())
    connection.set_config({**connection.stored_config(), "port": port})
    connection.save(update_fields=["config_encrypted"])
    new = push()
    drain.drain(connection.pk)
    assert told(connection) == [("PAUSED", ""), ("RESUMED", "")]
    assert names(server.root / "in") == sorted([old.filename, new.filename])


def test_answers_that_cannot_be_read_are_told_when_it_begins_and_when_it_ends(
    sent: ERPExport, connection: ERPConnection, server: AsyncSSHServer
) -> None:
    """A15."""
    acks = server.root / "acks"
    acks.rename(server.root / "gone")
    for _ in range(2):
        with pytest.raises(Exception, match="acks"):
            ack_poller.poll(connection.pk)
    (server.root / "gone").rename(acks)
    for _ in range(2):
        ack_poller.poll(connection.pk)
    assert told(connection) == [("POLL_FAILED", ""), ("POLL_WORKS", "")]
    assert "acks" in connection.events.all()[0].message


def test_a_paused_connection_is_not_asked_for_answers(sent: ERPExport, connection: ERPConnection) -> None:
    Lane.objects.update(last_run_at=None)
    assert due_for_polling() == [connection.pk]
    ERPConnection.objects.update(paused_until=timezone.now() + timedelta(minutes=1))
    assert due_for_polling() == []


def test_what_was_told_stays(connection: ERPConnection) -> None:
    """S19."""
    health.block(connection.pk, "The password was refused.")
    with pytest.raises(HistoryIsFixed):
        ConnectionEvent.objects.update(message="")
    with pytest.raises(HistoryIsFixed):
        ConnectionEvent.objects.get().delete()


def test_a_success_before_there_was_a_pause_is_no_news(push: Push, connection: ERPConnection) -> None:
    for _ in range(2):
        health.record_failure(connection.pk, "away")
    push()
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert (told(connection), connection.failures_in_a_row) == ([], 0)


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_test_that_passes_while_a_worker_records_a_failure_locks_neither_out(connection: ERPConnection) -> None:
    """The worker has the lane and asks for the connection; the test has the connection."""
    Lane.objects.create(connection=connection, kind=Lane.Kind.DELIVERY)
    errors: list[DatabaseError] = []

    def passes() -> None:
        try:
            health.release(connection.pk, actor="ina", cause="A test passed.", tested=True)
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    health.record_failure(connection.pk, "It was away.")
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease
        test = threading.Thread(target=passes)
        with leases.held(lease):
            test.start()
            while test.is_alive() and not _waits_for_lock():
                test.join(0.01)
            health.record_failure(connection.pk, "It was away.")
        test.join()
        leases.note(lease, None)
    assert errors == []
    assert not Lane.objects.get(kind=Lane.Kind.DELIVERY).suspect


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_conditional_edit_while_acks_are_recorded_locks_neither_out(
    connection: ERPConnection, push: Push, api_as: ApiAs
) -> None:
    """The poll has an export that is planned again, and its ledger refers to the connection that is edited."""
    export = push()
    ERPExport.objects.filter(pk=export.pk).update(next_attempt_at=timezone.now())
    api, url = api_as(Role.ADMIN), f"/api/v1/erp-connections/{connection.pk}/"
    etag = api.get(url).headers["ETag"]
    answers: list[int] = []

    def edit_it() -> None:
        try:
            answers.append(api.patch(url, {"config": {"timeout_s": 9}}, format="json", HTTP_IF_MATCH=etag).status_code)
        finally:
            connections.close_all()

    edits = threading.Thread(target=edit_it)
    with transaction.atomic():
        assert len(ERPExport.objects.locked([export.pk]))
        edits.start()
        while edits.is_alive() and not _waits_for_lock():
            edits.join(0.01)
        entry = AckEntry(name="ack_x.json", export_filename="x.json", size=1, modified_at=0)
        ack_recorder.note_orphans(connection, [entry])
    edits.join()
    assert answers == [200]


def _waits_for_lock() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None
