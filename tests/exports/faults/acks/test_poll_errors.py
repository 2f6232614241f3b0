"""Polls that go wrong: what is reported and kept, what is not read twice, and whose rows are written."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncssh
import pytest
from django.db import OperationalError, transaction
from django.db import connection as database
from django.utils import timezone

from connectors.exceptions import ConfigError, ConnectorError, TransientError
from connectors.models import ERPConnection
from connectors.ports import AckEntry
from connectors.types import file_batches
from exports import ack_poller, push_service, tasks
from exports.acks import effects as ack_effects
from exports.acks import reader as ack_reader
from exports.acks import reading_obstacles
from exports.acks import recorder as ack_recorder
from exports.acks import unread as unread_acks
from exports.acks.schedule import due_for_polling
from exports.models import AckFile, ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.keys import fresh_keys
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, names
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import BARE_FAILURE, DENIED, Fails, ListsAlso, Meanwhile
from tests.servers.faulty.server import Call
from tests.support.exports.acks import answer, sent, states
from tests.support.exports.failing_storage import Attempts, FailsAt, passwords
from tests.support.threads import at_once

pytestmark = pytest.mark.usefixtures("judged_at_once")

READ = frozenset({"open"})
FAILED = b'{"status": "FAILED", "error_code": "4711"}'


@dataclass(kw_only=True)
class FailsIn(Fails):
    """For paths in the folder."""

    folder: str

    def is_about(self, call: Call) -> bool:
        return bytes(call.arguments[0]).startswith(self.folder.encode())


def rows() -> set[tuple[str, str, str]]:
    return set(AckFile.objects.values_list("organization__slug", "name", "verdict"))


def test_a_password_that_a_poll_finds_refused_is_sent_once(push: Push, zone: Zone, queue: list[UUID]) -> None:
    """F18: by the schedule, and by messages that were on their way before the block."""
    sent(push, zone)
    zone.edit(password="wrong")
    zone.server.attempts.clear()
    for _ in range(3):
        tasks.poll_acks(str(zone.connection.pk))
        Lane.objects.update(last_run_at=timezone.now() - timedelta(days=1), awake_since=None)
        tasks.poll_due()
    assert passwords(zone.server) == ["wrong"]
    assert (due_for_polling(), queue) == ([], [])
    zone.connection.refresh_from_db()
    assert zone.connection.blocked_at is not None
    assert zone.server.username in zone.connection.blocked_reason
    assert zone.server.username in Lane.objects.get(kind="ACKS").last_error
    with pytest.raises(ConfigError, match=r"is blocked: .* Fix it"):
        ack_poller.poll(zone.connection.pk)


@pytest.mark.django_db(transaction=True)
def test_a_password_that_was_refused_before_the_edit_does_not_block_the_new_one(push: Push, zone: Zone) -> None:
    """F18, F26."""
    (export,) = sent(push, zone)
    answer(zone, export)
    zone.edit(password="wrong")
    zone.connection.refresh_from_db()
    zone.server.attempts = Attempts(lambda: zone.edit(password=zone.server.password))
    with pytest.raises(ConfigError):
        ack_poller.poll(zone.connection.pk)
    zone.connection.refresh_from_db()
    assert zone.connection.blocked_at is None
    assert ack_poller.poll(zone.connection.pk) == 1


def test_a_poll_without_the_key_says_which_one_the_sweep_has_to_wait_for(push: Push, zone: Zone, settings: Any) -> None:
    """F25."""
    (export,) = sent(push, zone)
    answer(zone, export)
    key, settings.ENCRYPTION_MASTER_KEY = settings.ENCRYPTION_MASTER_KEY, fresh_keys()["ENCRYPTION_MASTER_KEY"]
    with pytest.raises(ConfigError):
        ack_poller.poll(zone.connection.pk)
    settings.ENCRYPTION_MASTER_KEY = key
    zone.connection.refresh_from_db()
    assert zone.connection.blocked_by_key
    tasks.sweep()
    assert ack_poller.poll(zone.connection.pk) == 1


def test_an_ack_that_may_not_be_read_is_reported_and_the_others_are_applied(push: Push, zone: Zone) -> None:
    """A13, A15: "permission denied" is not "no ack yet"."""
    first, denied, last = sent(push, zone, 3)
    for export in (first, denied, last):
        answer(zone, export)
    zone.faults.append(FailsAt(operations=READ, error=DENIED, name=denied.filename))
    with pytest.raises(ConfigError, match=f"Cannot read /acks/ack_{denied.filename}: permission denied"):
        ack_poller.poll(zone.connection.pk)
    assert states() == {first.filename: "ACKED", denied.filename: "SENT", last.filename: "ACKED"}
    assert "permission denied" in Lane.objects.get(kind="ACKS").last_error
    # The others are read, and this one is named.
    assert reading_obstacles.obstacle(zone.connection) == ""
    assert unread_acks.advice(ERPExport.objects.all()).startswith(f"The ERP has written ack_{denied.filename}, which")
    assert zone.connection.events.latest("id").kind == "POLL_FAILED"
    zone.connection.refresh_from_db()
    assert zone.connection.blocked_at is None
    zone.faults.clear()
    assert ack_poller.poll(zone.connection.pk) == 1
    assert Lane.objects.get(kind="ACKS").last_error == ""
    assert zone.connection.events.latest("id").kind == "POLL_WORKS"


def test_an_ack_that_fails_to_be_read_for_a_moment_is_reported_and_read_at_the_next_poll(
    push: Push, zone: Zone
) -> None:
    """A13."""
    exports = sent(push, zone, 2)
    for export in exports:
        answer(zone, export)
    zone.faults.append(FailsAt(operations=READ, error=BARE_FAILURE, name=exports[0].filename))
    with pytest.raises(TransientError, match="failed without a cause"):
        ack_poller.poll(zone.connection.pk)
    assert "failed without a cause" in Lane.objects.get(kind="ACKS").last_error
    zone.faults.clear()
    ack_poller.poll(zone.connection.pk)
    assert set(states().values()) == {"ACKED"}


def test_an_ack_that_cannot_be_moved_says_why_at_its_own_row_alone(push: Push, zone: Zone) -> None:
    """A13."""
    moved, stays = sent(push, zone, 2)
    damaged = answer(zone, moved, b"{")
    answer(zone, stays)
    zone.faults.append(FailsAt(operations=frozenset({"rename"}), error=DENIED, name=stays.filename))
    with pytest.raises(ConnectorError, match="permission denied"):
        ack_poller.poll(zone.connection.pk)
    with pytest.raises(ConnectorError, match="permission denied"):
        ack_poller.poll(zone.connection.pk)
    assert reading_obstacles.obstacle(zone.connection) == ""
    assert names(zone.acks / "error") == [damaged.name]
    left = dict(AckFile.objects.values_list("name", "left_because"))
    assert left[damaged.name] == ""
    assert "permission denied" in left[f"ack_{stays.filename}"]


def test_a_server_that_says_a_lot_about_a_move_fits_the_ledger(push: Push, zone: Zone) -> None:
    """A13, S16: what it says is cut so that the next step stays, and the rest where paths are long as well."""
    (export,) = sent(push, zone)
    folder = "acks/" + "long" * 40
    (zone.server.root / folder).mkdir()
    zone.edit(ack_path=f"/{folder}")
    answer(zone, export).rename(zone.server.root / folder / f"ack_{export.filename}")
    zone.faults.append(Fails(operations=frozenset({"rename"}), error=asyncssh.SFTPPermissionDenied("no " * 300)))
    with pytest.raises(ConnectorError, match=r"then test the connection\.$"):
        ack_poller.poll(zone.connection.pk)
    assert len(AckFile.objects.get().left_because) == 500


@pytest.mark.django_db(transaction=True)
def test_a_poll_whose_lane_was_taken_writes_nothing_and_moves_nothing(push: Push, zone: Zone) -> None:
    """A16, F21."""
    (export,) = sent(push, zone)
    path = answer(zone, export)

    def take() -> None:
        Lane.objects.filter(kind="ACKS").update(token=77)
        database.close()

    taken = Meanwhile(operations=READ, act=take)
    zone.faults.append(taken)
    assert ack_poller.poll(zone.connection.pk) == 0
    assert (taken.struck, taken.failed) == (1, [])
    assert (states(), AckFile.objects.count(), path.exists()) == ({export.filename: "SENT"}, 0, True)
    lane = Lane.objects.get(kind="ACKS")
    assert (lane.token, lane.last_error) == (77, "")


def test_a_connection_without_acks_is_not_listed(push: Push, zone: Zone) -> None:
    zone.edit(ack_path="")
    (export,) = sent(push, zone)
    assert export.answer_due_at is None
    # An empty path would be the folder that a session begins in.
    for folder in (zone.server.root, zone.folder, zone.acks):
        (folder / f"ack_{export.filename}").write_text('{"status": "ACKED"}')
    assert ack_poller.poll(zone.connection.pk) == 0
    assert states() == {export.filename: "SENT"}


def test_tenants_that_share_a_folder_write_each_their_own_rows(push: Push, zone: Zone, make_order: MakeOrder) -> None:
    """A5, S1: what one of them noted as an orphan is the other's ack."""
    (ours,) = sent(push, zone)
    other = Organization.objects.create(name="Globex", slug="globex")
    theirs = connect_to(zone.server, other, export_path="/in", ack_path="/acks")
    export = push_service.push(PushRequest(order=make_order(tenant=other), actor="ops", connection=theirs))
    for each in (ours, export):
        answer(zone, each)
    foreign = zone.acks / "ack_sales_order_of_nobody.json"
    foreign.write_text("{}")
    for connection in (zone.connection, theirs, zone.connection, theirs):
        ack_poller.poll(connection.pk)
    assert rows() == {
        ("acme", f"ack_{ours.filename}", "MATCHED"),
        ("acme", f"ack_{export.filename}", "ORPHAN"),
        ("acme", foreign.name, "ORPHAN"),
        ("globex", f"ack_{export.filename}", "MATCHED"),
        ("globex", foreign.name, "ORPHAN"),
    }
    assert AckFile.objects.count() == 5
    for row in AckFile.objects.filter(verdict="MATCHED").select_related("export", "connection"):
        assert row.export is not None
        assert (row.export.connection, row.export.organization) == (row.connection, row.organization)


def test_an_ack_that_overtakes_the_record_of_sending_leaves_nothing_of_the_attempt(push: Push, zone: Zone) -> None:
    """A1: neither an error, nor a next attempt, nor a due time; and a time of sending if the file was staged."""
    staged, never_staged = push(), push()
    ERPExport.objects.update(error_message="away", next_attempt_at=timezone.now() + timedelta(hours=1), tries=2)
    ERPExport.objects.filter(pk=staged.pk).update(staged_path="x", document_sha256="0" * 64)
    for export in (staged, never_staged):
        answer(zone, export, b'{"status": "ACKED", "processed_at": "2026-11-23T10:01:00Z"}')
    ack_poller.poll(zone.connection.pk)
    for export in (staged, never_staged):
        export.refresh_from_db()
        assert (export.status, export.error_message, export.next_attempt_at) == ("ACKED", "", None)
        assert export.settled_at is not None
        event = export.events.get(kind="ACKED")
        assert event.detail["processed_at"] == "2026-11-23T10:01:00+00:00"
        assert event.detail["file"] == f"ack_{export.filename}"
    assert staged.sent_at is not None
    assert never_staged.sent_at is None


@pytest.mark.parametrize("kind", ["ack", "error"])
def test_a_settled_export_is_not_overdue(kind: str, push: Push, zone: Zone) -> None:
    (export,) = sent(push, zone)
    assert ERPExport.objects.get().answer_due_at is not None
    body = {"ack": b'{"status": "ACKED"}', "error": FAILED}[kind]
    (zone.acks / f"{kind}_{export.filename}").write_bytes(body)
    sent_at = ERPExport.objects.get().sent_at
    ack_poller.poll(zone.connection.pk)
    export.refresh_from_db()
    assert (export.answer_due_at, export.sent_at) == (None, sent_at)
    assert export.settled_at is not None
    if kind == "error":
        assert (export.error_message, export.error_code, export.cause) == (ack_effects.NO_REASON, "4711", "ERP_REFUSED")
        assert export.events.get(kind="FAILED").message == ack_effects.NO_REASON


def test_of_two_exports_in_one_batch_each_gets_its_own_ack(push: Push, zone: Zone) -> None:
    """A3: number, reason, code and history by export, and the orders behind them."""
    accepted, refused, other = sent(push, zone, 3)
    answer(zone, accepted, b'{"status": "ACKED", "erp_order_id": "SO-1"}')
    answer(zone, other, b'{"status": "ACKED", "erp_order_id": "SO-2"}')
    (zone.acks / f"error_{refused.filename}").write_bytes(b'{"status": "FAILED", "message": "No 3"}')
    ack_poller.poll(zone.connection.pk)
    found = {
        export.pk: (export.status, export.erp_order_id, export.error_message, export.draft_order.erp_order_id)
        for export in ERPExport.objects.select_related("draft_order")
    }
    assert found == {
        accepted.pk: ("ACKED", "SO-1", "", "SO-1"),
        refused.pk: ("FAILED", "", "No 3", ""),
        other.pk: ("ACKED", "SO-2", "", "SO-2"),
    }


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_nobody_settles_an_export_while_its_ack_is_judged(
    push: Push, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1, A4: or two acks of two workers would both be the first."""
    (export,) = sent(push, zone)
    answer(zone, export)
    refused: list[bool] = []

    def settle() -> None:
        try:
            with transaction.atomic(), database.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                ERPExport.objects.filter(pk=export.pk).update(status="FAILED")
        except OperationalError:
            refused.append(True)

    verdict = ack_recorder._Page.verdict

    def while_somebody_settles(*arguments: Any) -> str:
        at_once(settle, 1)
        return verdict(*arguments)

    monkeypatch.setattr(ack_recorder._Page, "verdict", while_somebody_settles)
    ack_poller.poll(zone.connection.pk)
    assert (refused, states()) == ([True], {export.filename: "ACKED"})


def test_a_poll_that_is_cut_off_twice_skips_what_both_passed(
    push: Push, zone: Zone, queue: list[UUID], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A14."""
    exports = sent(push, zone, 2)
    for n in range(7):
        (zone.acks / f"ack_sales_order_of_nobody_{n}.json").write_text("{}")
    for export in exports:
        answer(zone, export)
    settings.DELIVERY_SLICE_S = -1
    monkeypatch.setattr(file_batches, "BATCH", 2)
    monkeypatch.setattr(ack_reader, "FIRST", 2)
    listed: list[int] = []
    note_orphans = ack_recorder.note_orphans
    seen: list[str] = []

    def note(connection: ERPConnection, entries: Sequence[AckEntry]) -> None:
        seen.extend(entry.name for entry in entries)
        note_orphans(connection, entries)

    monkeypatch.setattr(ack_recorder, "note_orphans", note)
    ack_poller.poll(zone.connection.pk)
    while queue:
        assert queue == [zone.connection.pk]
        listed.append(Lane.objects.get(kind="ACKS").passed)
        ack_poller.poll(queue.pop())
    assert listed == sorted(listed)
    assert len(listed) >= 2
    assert 0 < listed[0] < listed[-1]
    assert set(states().values()) == {"ACKED"}
    assert len(seen) == len(set(seen)) == 7
    assert Lane.objects.get(kind="ACKS").passed == 0


def test_the_folder_that_acks_are_in_is_this_connections(push: Push, zone: Zone) -> None:
    """A5: an ack in another folder is nobody's."""
    (export,) = sent(push, zone)
    path = Path(zone.server.root / f"ack_{export.filename}")
    path.write_text(json.dumps({"status": "ACKED"}))
    assert ack_poller.poll(zone.connection.pk) == 0
    assert path.exists()
    assert ERPConnection.objects.get().blocked_at is None


def test_a_name_that_is_listed_again_in_the_next_batch_is_read_once(
    push: Push, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: it is under way, and would be missed when it is moved a second time."""
    (export,) = sent(push, zone)
    path = answer(zone, export)
    monkeypatch.setattr(file_batches, "BATCH", 1)
    monkeypatch.setattr(ack_reader, "FIRST", 1)
    zone.faults.append(ListsAlso(names=lambda: [path.name.encode()], size=path.stat().st_size))
    assert ack_poller.poll(zone.connection.pk) == 1
    assert Lane.objects.get(kind="ACKS").last_error == ""
    assert names(zone.acks / "processed") == [path.name]


def test_a_poll_that_is_cut_off_counts_what_it_could_not_move_as_passed(
    push: Push, zone: Zone, queue: list[UUID], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A13, A14: it stays in front of the rest."""
    for export in sent(push, zone, 6):
        answer(zone, export)
    settings.DELIVERY_SLICE_S = -1
    monkeypatch.setattr(file_batches, "BATCH", 1)
    monkeypatch.setattr(ack_reader, "FIRST", 1)
    zone.faults.append(Fails(operations=frozenset({"rename"}), error=DENIED))
    with pytest.raises(ConfigError, match="permission denied"):
        ack_poller.poll(zone.connection.pk)
    assert 0 < Lane.objects.get(kind="ACKS").passed == AckFile.objects.count() < 6


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rename_fails", [False, True])
def test_an_ack_that_is_read_before_the_attempt_is_recorded_keeps_its_state(
    rename_fails: bool, push: Push, zone: Zone
) -> None:
    """A1: the attempt enters where the file went, and moves nothing back."""
    export, other = push(), push()

    def poll() -> None:
        answer(zone, export, b'{"status": "ACKED", "erp_order_id": "SO-1"}')
        ack_poller.poll(zone.connection.pk)
        database.close()

    if rename_fails:
        zone.faults.append(FailsIn(operations=frozenset({"rename"}), folder="/in"))
    early = Meanwhile(operations=frozenset({"rename"}), act=poll)
    zone.faults.append(early)
    zone.drain()
    assert (early.struck, early.failed) == (1, [])
    for each in (export, other):
        each.refresh_from_db()
        each.draft_order.refresh_from_db()
    assert (export.status, export.erp_order_id, export.draft_order.status) == ("ACKED", "SO-1", "PUSHED")
    assert (export.next_attempt_at, export.error_message) == (None, "")
    assert other.status == ("PENDING" if rename_fails else "SENT")
    assert [event.kind for event in export.events.all()] == ["REQUESTED", "STAGED", "ACKED"]
    if not rename_fails:
        assert export.dropzone_path == f"/in/{export.filename}"
        assert export.document_size == (zone.folder / export.filename).stat().st_size
        assert export.storage_key


@pytest.mark.parametrize("changes", ["size", "time", "both"])
def test_a_half_written_ack_that_changes_from_poll_to_poll_is_waited_for(changes: str, push: Push, zone: Zone) -> None:
    """A2: a server's clock may stand still, and bytes may be replaced."""
    (export,) = sent(push, zone)
    path = answer(zone, export, b"{")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    for n in range(1, 4):
        assert ack_poller.poll(zone.connection.pk) == 0
        if changes != "time":
            path.write_bytes(b"{" + b" " * n)
        moment = 1_700_000_000 + (60 * n if changes != "size" else 0)
        os.utime(path, (moment, moment))
    assert [row.verdict for row in AckFile.objects.all()] == ["INCOMPLETE"]
    assert ack_poller.poll(zone.connection.pk) == 0
    assert ack_poller.poll(zone.connection.pk) == 1
    assert [row.verdict for row in AckFile.objects.all()] == ["MALFORMED"]
