"""Databases that are gone, or busy, in the middle of a delivery."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction
from django.db import connection as database

from connectors.models import ERPConnection
from exports import ack_poller
from exports.models import Lane
from tests.bench.bench import ROOT
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.missing import program

LOCKED_S = 1.5


@pytest.mark.full
def test_a_commit_of_which_nobody_knows_whether_it_was_carried_out_sends_no_order_twice(tmp_path: Path) -> None:
    """F23: at each COMMIT of a delivery, on PostgreSQL."""
    program("initdb", package="postgresql", folders="/usr/lib/postgresql/*/bin")
    command = [sys.executable, "-m", "tests.exports.faults.lost_commits", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    deliveries = json.loads(done.stdout)
    lost = [each for each in deliveries if each["lost"]]
    # To take the lane, to journal, to record.
    assert len(lost) >= 2 * 3
    for each in deliveries:
        assert each["statuses"] == ["SENT"] * 3, each
        assert each["orders"] == ["PUSHED"] * 3, each
        assert each["arrived"] == [1] * 3, each
        assert (each["sent_events"], each["left"]) == (3, 0), each


@pytest.mark.django_db(transaction=True)
def test_a_database_that_another_process_writes_to_is_waited_for(push: Push, zone: Zone) -> None:
    """F24: on SQLite, which has one writer at a time; PostgreSQL's locks are by row, and wait as well."""
    exports = [push() for _ in range(3)]
    writer = threading.Thread(target=_hold_for_a_while, args=(zone.connection,))
    writer.start()
    time.sleep(0.2)
    started = time.monotonic()
    zone.drain()
    waited = time.monotonic() - started
    writer.join()
    assert waited > LOCKED_S / 2
    for export in exports:
        export.refresh_from_db()
        assert (export.status, export.tries) == ("SENT", 1)
        (zone.acks / f"ack_{export.filename}").write_text('{"status": "ACKED"}')
    assert len(zone.names) == 3
    assert ack_poller.poll(zone.connection.pk) == 3


def _hold_for_a_while(connection: ERPConnection) -> None:
    """As another process's transaction does: all of SQLite, or the lane that the delivery needs."""
    if database.vendor == "sqlite":
        with closing(sqlite3.connect(database.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(LOCKED_S)
            other.execute("ROLLBACK")
        return
    try:
        with transaction.atomic():
            list(Lane.objects.select_for_update().filter(connection=connection))
            time.sleep(LOCKED_S)
    finally:
        database.close()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_journal_costs_no_attempt_and_says_nothing_of_the_server(
    push: Push, zone: Zone
) -> None:
    """F24: nothing is published, the connection does not pause, and the next drain sends each order once."""
    exports = [push() for _ in range(2)]
    with _no_journal():
        for _ in range(3):
            with pytest.raises(DatabaseError):
                zone.drain()
    assert not [name for name in zone.names if name.endswith(".json")]
    for export in exports:
        export.refresh_from_db()
        assert (export.status, export.tries, export.error_message) == ("PENDING", 0, "")
        assert [event.kind for event in export.events.all()] == ["REQUESTED"]
    zone.connection.refresh_from_db()
    assert (zone.connection.failures_in_a_row, zone.connection.paused_until) == (0, None)
    zone.drain()
    assert sorted(name for name in zone.names if name.endswith(".json")) == sorted(e.filename for e in exports)


@contextmanager
def _no_journal() -> Iterator[None]:
    """The database refuses each row that a journal writes."""
    when = "BEFORE UPDATE OF staged_path ON exports_erpexport"
    if database.vendor == "sqlite":
        create = f"CREATE TRIGGER full_disk {when} WHEN NEW.staged_path <> '' BEGIN SELECT RAISE(ABORT, 'full'); END"
        drop = "DROP TRIGGER full_disk"
    else:
        raises = "BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END"
        function = f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${raises}$$"
        trigger = f"CREATE TRIGGER full_disk {when} FOR EACH ROW WHEN (NEW.staged_path <> '')"
        create = f"{function}; {trigger} EXECUTE FUNCTION full_disk()"
        drop = "DROP FUNCTION full_disk CASCADE"
    with database.cursor() as cursor:
        cursor.execute(create)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute(drop)
