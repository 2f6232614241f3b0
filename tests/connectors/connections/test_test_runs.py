"""A test that a worker runs: what becomes of its row, of what was entered for it, and of its messages."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors import tasks
from connectors.admin.test_report import SAVE_AND_TEST
from connectors.connections import health, test_runs
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.connections.test_runs import KEPT, PLACES, STILL_TESTED, TestUnderWay
from connectors.dropzones import settings as dropzone_config
from connectors.dropzones.backends.base import OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConfigError, ConnectorError
from connectors.models import ConnectionTest, ERPConnection
from orderflow.celery import app
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.connectors.admin.test_connections import config_form
from tests.servers.raw import drip, raw_server, say_nothing
from tests.support.installation import eventually
from tests.support.tenants import log_in, page_url

CANARY = "canary-7361"


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    sent: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args: sent.append((name, args)))
    return sent


@pytest.fixture
def silent(organization: Organization) -> Iterator[ERPConnection]:
    """A connection to a server that takes connections and says nothing."""
    with raw_server(say_nothing) as port:
        yield sftp(organization, port)


def sftp(organization: Organization, port: int, **config: Any) -> ERPConnection:
    server = {"mode": "sftp", "host": "127.0.0.1", "port": port, "username": "erp", "password": CANARY}
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="SFTP", config={**server, "export_path": "in", "timeout_s": 1, **config})
    return connection_service.save(row, changes, actor="test")


def another(organization: Organization, name: str) -> ERPConnection:
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    config = {"mode": "filesystem", "export_path": "in"}
    return connection_service.save(row, ConnectionChanges(name=name, config=config), actor="test")


def run(test: ConnectionTest) -> ConnectionTest:
    test_runs.run(test.pk)
    test.refresh_from_db()
    return test


def run_by_hand(test: ConnectionTest, **fields: Any) -> None:
    """As if a worker had it and went no further."""
    values = {"state": "RUNNING", "place": 0, "started_at": timezone.now(), **fields}
    ConnectionTest.objects.filter(pk=test.pk).update(**values)


@contextmanager
def working(test: ConnectionTest) -> Iterator[None]:
    """A worker runs the test; the block runs behind its first step, of several."""

    def work() -> None:
        test_runs.run(test.pk)
        database.close()

    worker = threading.Thread(target=work)
    worker.start()
    eventually(lambda: refreshed(test).steps, within_s=10, what="the first step")
    assert test.state == "RUNNING"
    yield
    worker.join(10)
    test.refresh_from_db()


def refreshed(test: ConnectionTest) -> ConnectionTest:
    test.refresh_from_db()
    return test


def test_a_test_of_the_stored_config_is_kept_and_releases_a_block(connection: ERPConnection, folder: Path) -> None:
    health.block(connection.pk, "The folder was not mounted.")
    test = run(test_runs.ask(connection, actor="ina"))
    assert (test.state, test.error_message, test.asked_by) == ("PASSED", "", "ina")
    assert [step["name"] for step in test.steps] == ["write", "rename", "delete", "list answers"]
    assert all(step["success"] and step["duration_ms"] >= 0 for step in test.steps)
    assert test.ended_at
    connection.refresh_from_db()
    assert (connection.last_test_success, connection.blocked_at) == (True, None)
    assert AuditEntry.objects.filter(action="test connection", actor="ina").count() == 1


def test_a_test_of_edits_says_nothing_of_the_stored_config(connection: ERPConnection, folder: Path) -> None:
    (folder / "other").mkdir()
    health.block(connection.pk, "The folder was not mounted.")
    test = run(test_runs.ask(connection, actor="ina", unsaved={"export_path": "other"}))
    assert test.state == "PASSED"
    assert test.steps[0]["detail"].startswith("other/")
    connection.refresh_from_db()
    assert (connection.last_test_at, connection.blocked_at is None) == (None, False)
    assert connection.stored_config()["export_path"] == "in"


def test_edits_are_laid_over_the_stored_secret(organization: Organization, silent: ERPConnection) -> None:
    """S4. Nothing of a secret is in the row, and nothing at all of what was entered once the test is over."""
    test = test_runs.ask(silent, actor="ina", unsaved={"passphrase": "other-canary", "username": "erp2"})
    assert (test.edits()["username"], test.has_edits) == ("erp2", True)
    assert b"canary" not in bytes(test.edits_encrypted)
    run(test)
    assert test.state == "FAILED"
    assert "canary" not in str(ConnectionTest.objects.values().get())
    assert bytes(test.edits_encrypted) == b""


def test_edits_moved_to_another_row_are_not_tried(connection: ERPConnection, organization: Organization) -> None:
    """S2."""
    mine = test_runs.ask(connection, actor="ina", unsaved={"export_path": "in"})
    other = test_runs.ask(another(organization, "Other"), actor="ina", unsaved={"export_path": "out"})
    ConnectionTest.objects.filter(pk=other.pk).update(edits_encrypted=mine.edits_encrypted)
    with pytest.raises(ConfigError, match="another row"):
        ConnectionTest.objects.get(pk=other.pk).edits()
    assert "cannot be decrypted" in run(other).error_message
    assert other.state == "FAILED"


@pytest.mark.django_db(transaction=True)
def test_a_message_names_the_test_and_nothing_else(connection: ERPConnection, messages: list[Any]) -> None:
    """S4."""
    test = test_runs.ask(connection, actor="ina", unsaved={"export_path": CANARY})
    assert messages == [(tasks.run_connection_test.name, [str(test.pk)])]
    assert tasks.run_connection_test.name == test_runs.TASK


@pytest.mark.django_db(transaction=True)
def test_steps_are_seen_as_they_end(silent: ERPConnection) -> None:
    test = test_runs.ask(silent, actor="ina")
    with working(test):
        assert [step["name"] for step in test.steps] == ["resolve"]
    assert (test.state, len(test.steps)) == ("FAILED", 2)
    assert "did not finish the key exchange within 1 s. Check host and port" in test.error_message


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_comes_late_changes_nothing(silent: ERPConnection) -> None:
    test = test_runs.ask(silent, actor="ina")
    with working(test):
        ConnectionTest.objects.filter(pk=test.pk).update(state="FAILED", error_message="Given up.")
    assert (test.state, test.error_message, len(test.steps)) == ("FAILED", "Given up.", 1)


def test_a_test_has_a_time_limit_whatever_the_server_does(organization: Organization, settings: Any) -> None:
    settings.CONNECTION_TEST_LIMIT_S = 1
    with raw_server(drip) as port:
        started = time.monotonic()
        test = run(test_runs.ask(sftp(organization, port, timeout_s=30), actor="ina"))
    assert time.monotonic() - started < 5
    assert test.state == "FAILED"
    assert test.error_message


def test_one_connection_has_one_test_under_way(connection: ERPConnection, folder: Path) -> None:
    test = test_runs.ask(connection, actor="ina")
    for _ in range(2):
        with pytest.raises(TestUnderWay, match="Folder is being tested already"):
            test_runs.ask(connection, actor="eve")
        run_by_hand(test)
    run_by_hand(test, state="WAITING")
    run(test)
    test_runs.ask(connection, actor="eve")
    assert connection.tests.count() == 2


def test_a_message_that_comes_twice_runs_a_test_once(connection: ERPConnection, folder: Path) -> None:
    test = test_runs.ask(connection, actor="ina")
    for _ in range(2):
        run(test)
    assert AuditEntry.objects.filter(action="test connection").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_organization_has_one_test_running_and_the_next_is_called(
    connection: ERPConnection, organization: Organization, folder: Path, messages: list[Any]
) -> None:
    first = test_runs.ask(connection, actor="ina")
    second = test_runs.ask(another(organization, "Other"), actor="ina")
    run_by_hand(first)
    assert run(second).state == "WAITING"
    run_by_hand(first, state="WAITING")
    messages.clear()
    run(first)
    assert messages == [(test_runs.TASK, [str(second.pk)])]
    assert run(second).state == "PASSED"


def test_few_tests_run_at_once(connection: ERPConnection, folder: Path) -> None:
    for place in range(PLACES):
        tenant = Organization.objects.create(name=f"Tenant {place}", slug=f"tenant-{place}")
        run_by_hand(test_runs.ask(another(tenant, "ERP"), actor="ina"), place=place)
    test = test_runs.ask(connection, actor="ina")
    assert run(test).state == "WAITING"
    ConnectionTest.objects.filter(state="RUNNING", place=0).update(state="FAILED")
    assert run(test).state == "PASSED"


@pytest.mark.django_db(transaction=True)
def test_what_a_dead_worker_left_fails_and_the_next_goes(
    connection: ERPConnection, organization: Organization, settings: Any, messages: list[Any]
) -> None:
    """S4. With it goes what was entered."""
    test = test_runs.ask(connection, actor="ina", unsaved={"export_path": "other"})
    waiting = test_runs.ask(another(organization, "Other"), actor="ina")
    limit = timedelta(seconds=settings.CONNECTION_TEST_LIMIT_S + test_runs.GRACE_S)
    run_by_hand(test, started_at=timezone.now() - limit + timedelta(seconds=10))
    tasks.sweep_tests()
    test.refresh_from_db()
    assert test.state == "RUNNING"

    run_by_hand(test, started_at=timezone.now() - limit - timedelta(seconds=1))
    messages.clear()
    tasks.sweep_tests()
    test.refresh_from_db()
    assert (test.state, bytes(test.edits_encrypted)) == ("FAILED", b"")
    assert test.error_message == "No end after 60 s: its worker is gone. Test again."
    assert messages == [(test_runs.TASK, [str(waiting.pk)])]


def test_what_no_worker_takes_fails_in_the_end(connection: ERPConnection) -> None:
    test = test_runs.ask(connection, actor="ina", unsaved={"export_path": "other"})
    old = timezone.now() - test_runs.WAITS_AT_MOST - timedelta(seconds=1)
    ConnectionTest.objects.filter(pk=test.pk).update(asked_at=old)
    again = test_runs.ask(connection, actor="ina")
    test.refresh_from_db()
    assert (test.state, bytes(test.edits_encrypted)) == ("FAILED", b"")
    assert "No worker took it up within 15 min." in test.error_message
    assert again.state == "WAITING"


def test_a_test_of_settings_that_were_edited_since_is_discarded(
    connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit is saved while the worker writes its file; the new folder does not exist."""

    class Edited(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            stored = ERPConnection.objects.get(pk=connection.pk)
            connection_service.save(stored, ConnectionChanges(config={"export_path": "typo"}), actor="ina")
            health.block(connection.pk, "No such folder.")
            return super().write(files)

    monkeypatch.setattr(dropzone_config, "LocalDropzone", Edited)
    test = run(test_runs.ask(connection, actor="ina"))
    connection.refresh_from_db()
    assert (test.state, test.error_message) == ("FAILED", connection_service.OUTDATED)
    assert (connection.last_test_at, connection.works_since, connection.worked_at) == (None, None, None)
    assert connection.blocked_at is not None
    assert AuditEntry.objects.get(action="test connection").detail["outcome"] == "discarded"


def test_saving_while_a_former_test_is_under_way_says_that_nothing_covers_the_edit(
    connection: ERPConnection, organization: Organization
) -> None:
    test_runs.ask(connection, actor="ina")
    entered = config_form(name="Folder", is_default="on", config_timeout_s="9", **{SAVE_AND_TEST: "1"})
    response = log_in(organization, Role.INTEGRATOR).post(page_url(connection), entered, follow=True)
    assert STILL_TESTED in response.content.decode()


def test_a_defect_ends_the_test(connection: ERPConnection, settings: Any) -> None:
    settings.DROPZONE_ROOT = None
    test = test_runs.ask(connection, actor="ina", unsaved={"export_path": "other"})
    with pytest.raises(TypeError):
        test_runs.run(test.pk)
    test.refresh_from_db()
    assert (test.state, test.error_message) == ("FAILED", "Unexpected TypeError.")
    assert bytes(test.edits_encrypted) == b""


def test_the_newest_few_are_kept(connection: ERPConnection, organization: Organization, folder: Path) -> None:
    other = run(test_runs.ask(another(organization, "Other"), actor="ina"))
    asked: list[UUID] = [run(test_runs.ask(connection, actor="ina")).pk for _ in range(KEPT + 2)]
    assert list(connection.tests.values_list("pk", flat=True)) == asked[: -KEPT - 1 : -1]
    assert ConnectionTest.objects.filter(pk=other.pk).exists()
