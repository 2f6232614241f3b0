"""What a batch came to, by row: each export its own outcome, once, and the connection only what is its own."""

from datetime import timedelta
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import asyncssh
import pytest
from django.core.files.storage import FileSystemStorage
from django.db import transaction
from django.utils import timezone

from connectors.connections import health
from connectors.models import ERPConnection
from exports.delivery import reschedule
from exports.incidents import detector
from exports.incidents.models import Incident
from exports.models import ERPExport, Lane
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import BARE_FAILURE, DENIED, DiskFull, Fails, Meanwhile
from tests.servers.faulty.server import Call
from tests.support.exports.failing_storage import Attempts, passwords
from tests.support.exports.orders import long

OPEN, RENAME = frozenset({"open"}), frozenset({"rename"})


def kinds(export: ERPExport) -> list[str]:
    return [event.kind for event in export.events.all()]


def incidents() -> list[str]:
    """The kinds of those that are open now."""
    detector.compare()
    return list(Incident.objects.filter(closed_at=None).values_list("kind", flat=True))


@pytest.mark.parametrize("large_is", ["first", "last"])
def test_one_file_without_room_among_others_is_no_failed_session(large_is: str, push: Push, zone: Zone) -> None:
    """F10: or three batches of it would pause the whole connection. From its third failed attempt, the order has an
    incident of its own: the schedule goes on for 17 hours before it is FAILED."""
    large = push()
    long(large.draft_order_id)
    zone.faults.append(DiskFull(at=40_000))
    for tries in range(1, 5):
        small = [push(), push()]
        if large_is == "last":
            ERPExport.objects.filter(pk=large.pk).update(created_at=timezone.now())
        zone.drain_later()
        for export in small:
            export.refresh_from_db()
            assert (export.status, export.tries) == ("SENT", 1)
        assert incidents() == (["RETRYING"] if tries >= 3 else [])
    large.refresh_from_db()
    assert (large.status, large.tries) == ("PENDING", 4)
    zone.connection.refresh_from_db()
    assert (zone.connection.failures_in_a_row, zone.connection.paused_until) == (0, None)
    assert Lane.objects.get(kind="DELIVERY").last_error == ""
    assert "space" in Incident.objects.get().reason
    zone.faults.clear()
    zone.drain_later()
    assert incidents() == []


def test_a_session_in_which_nothing_could_be_done_is_a_failed_one(push: Push, zone: Zone) -> None:
    """F10."""
    for _ in range(2):
        push()
    zone.faults.append(Fails(operations=OPEN, error=BARE_FAILURE))
    zone.drain()
    zone.connection.refresh_from_db()
    assert zone.connection.failures_in_a_row == 1
    lane = Lane.objects.get(kind="DELIVERY")
    assert (lane.suspect, "failed without a cause" in lane.last_error) == (True, True)


def test_a_session_that_succeeds_ends_the_count_of_failed_ones(push: Push, zone: Zone) -> None:
    push()
    zone.faults.append(Fails(operations=OPEN, error=BARE_FAILURE, at_most=1))
    zone.drain()
    zone.drain_later()
    zone.connection.refresh_from_db()
    assert zone.connection.failures_in_a_row == 0
    assert not Lane.objects.get(kind="DELIVERY").suspect


def test_what_is_settled_before_the_connection_is_blocked_is_settled_once(push: Push, zone: Zone) -> None:
    """F13: one order cannot be rendered, and the folder is missing, in one batch."""
    wrong, never_approved, waits = push(), push(), push()
    wrong.draft_order.lines.update(uom="")
    type(never_approved.draft_order).objects.filter(pk=never_approved.draft_order_id).update(approved_at=None)
    zone.faults.append(Fails(operations=OPEN, error=asyncssh.SFTPNoSuchFile("")))
    zone.drain()
    for export in (wrong, never_approved, waits):
        export.refresh_from_db()
    assert [export.status for export in (wrong, never_approved, waits)] == ["FAILED", "FAILED", "PENDING"]
    assert [export.tries for export in (wrong, never_approved, waits)] == [1, 1, 0]
    assert kinds(wrong) == kinds(never_approved) == ["REQUESTED", "FAILED"]
    assert kinds(waits) == ["REQUESTED", "BLOCKED"]


def test_each_of_a_batch_gets_its_own_reason_and_count(push: Push, zone: Zone) -> None:
    refused, fresh, sent = push(), push(), push()
    refused.draft_order.lines.update(uom="")
    long(fresh.draft_order_id)
    ERPExport.objects.filter(pk=fresh.pk).update(tries=2)
    zone.faults.append(DiskFull(at=40_000))
    zone.drain()
    for export in (refused, fresh, sent):
        export.refresh_from_db()
        export.draft_order.refresh_from_db()
    assert [export.status for export in (refused, fresh, sent)] == ["FAILED", "PENDING", "SENT"]
    assert [export.tries for export in (refused, fresh, sent)] == [1, 3, 1]
    assert [export.cause for export in (refused, fresh, sent)] == ["REJECTED", "", ""]
    assert str(refused.draft_order_id) in refused.error_message
    assert "space" in fresh.error_message or "disk" in fresh.error_message
    assert sent.error_message == ""
    assert [e.draft_order.status for e in (refused, fresh, sent)] == ["ERROR", "PUSHING", "PUSHED"]
    assert [e.draft_order.error_message for e in (fresh, sent)] == ["", ""]
    assert refused.draft_order.error_message == refused.error_message
    # Five minutes after the third attempt, one tenth more or less; the other two have no next attempt.
    assert fresh.next_attempt_at is not None
    assert 265 < (fresh.next_attempt_at - timezone.now()).total_seconds() < 335
    assert (refused.next_attempt_at, sent.next_attempt_at) == (None, None)
    assert (refused.settled_at is None, fresh.settled_at, sent.settled_at) == (False, None, None)
    assert fresh.events.get(kind="RETRY").detail["try"] == 3
    assert sent.events.get(kind="SENT").detail["sha256"] == sent.document_sha256


def test_a_wait_that_is_over_is_forgotten_when_the_order_goes(push: Push, zone: Zone) -> None:
    export = push()
    past = timezone.now() - timedelta(seconds=1)
    ERPExport.objects.update(next_attempt_at=past, error_message="away", tries=3)
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.next_attempt_at, export.error_message, export.tries) == ("SENT", None, "", 4)
    assert export.sent_at is not None


def test_an_order_that_is_not_due_yet_stays(push: Push, zone: Zone) -> None:
    soon, due = push(), push()
    ERPExport.objects.filter(pk=soon.pk).update(next_attempt_at=timezone.now() + timedelta(seconds=30))
    zone.drain()
    assert zone.names == [due.filename]


@pytest.mark.django_db(transaction=True)
def test_what_one_connection_meets_changes_nothing_of_another(push: Push, zone: Zone) -> None:
    """F13, F18: block, pause and success are one connection's; so is what they let go."""
    ours, theirs = push(), push()
    neighbor = ERPConnection.objects.get(pk=zone.connection.pk)
    neighbor.pk, neighbor.name, neighbor.is_default = None, "Neighbor", False
    neighbor._state.adding = True
    neighbor.save()
    later = timezone.now() + timedelta(hours=1)
    ERPExport.objects.filter(pk=theirs.pk).update(connection=neighbor, next_attempt_at=later)
    before = ERPConnection.objects.values("blocked_at", "paused_until", "failures_in_a_row").get(pk=neighbor.pk)
    zone.faults.append(Fails(operations=OPEN, error=DENIED))
    zone.drain()
    for _ in range(3):
        health.record_failure(zone.connection.pk, "away")
    health.release(zone.connection.pk, actor="eva", cause="Mended.")
    after = ERPConnection.objects.values("blocked_at", "paused_until", "failures_in_a_row").get(pk=neighbor.pk)
    assert after == before
    theirs.refresh_from_db()
    assert (theirs.next_attempt_at, kinds(theirs)) == (later, ["REQUESTED"])
    assert kinds(ours) == ["REQUESTED", "BLOCKED", "RELEASED"]
    assert ours.events.get(kind="RELEASED").actor == "eva"
    assert not neighbor.events.exists()
    lane = Lane.objects.create(connection=neighbor, kind=Lane.Kind.DELIVERY)
    with transaction.atomic():
        reschedule.put_forward(connection_id=zone.connection.pk, actor="eva", cause="Again.", tested=True)
    theirs.refresh_from_db()
    assert theirs.next_attempt_at == later
    lane.refresh_from_db()
    assert lane.suspect


def test_what_went_before_the_connection_was_blocked_is_recorded(push: Push, zone: Zone) -> None:
    """F13: one file may not be written, the other is there."""

    class DeniedAt(Fails):
        def is_about(self, call: Call) -> bool:
            return denied.filename.removesuffix(".json").encode() in bytes(call.arguments[0])

    denied, fine = push(), push()
    zone.faults.append(DeniedAt(operations=OPEN, error=DENIED))
    zone.drain()
    zone.connection.refresh_from_db()
    assert zone.connection.blocked_at is not None
    for export in (denied, fine):
        export.refresh_from_db()
    assert (denied.status, fine.status, zone.names) == ("PENDING", "SENT", [fine.filename])
    # A server that says no has answered.
    assert not Lane.objects.get(kind="DELIVERY").suspect


def test_without_a_temporary_name_a_file_that_failed_is_not_sent(push: Push, zone: Zone) -> None:
    """F10."""
    zone.edit(atomic_write=False)
    export = push()
    zone.faults.append(Fails(operations=OPEN, error=BARE_FAILURE, at_most=1))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries, zone.names) == ("PENDING", 1, [])
    zone.drain_later()
    assert zone.names == [export.filename]


def test_without_a_temporary_name_the_document_is_archived_with_the_order(
    push: Push, zone: Zone, tmp_path: Path
) -> None:
    """F27: no journal binds its bytes, so nothing else would store them before the sweep does."""
    zone.edit(atomic_write=False)
    export = push()
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.staged_path) == ("SENT", "")
    assert export.storage_key
    assert (tmp_path / "storage" / export.storage_key).read_bytes() == (zone.folder / export.filename).read_bytes()


@pytest.mark.django_db(transaction=True)
def test_a_password_that_was_refused_before_the_edit_does_not_block_the_new_one(push: Push, zone: Zone) -> None:
    """F18, F26: the worker had read the connection before it was edited."""
    export = push()
    zone.edit(password="wrong")
    zone.server.attempts = Attempts(lambda: zone.edit(password=zone.server.password))
    zone.drain()
    assert passwords(zone.server) == ["wrong"]
    zone.connection.refresh_from_db()
    assert (zone.connection.blocked_at, zone.connection.events.count()) == (None, 0)
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries, zone.names) == ("SENT", 1, [export.filename])


class Slow(FileSystemStorage):
    """A copy under the name `late` takes until `go`; each that is stored is counted in `stored`."""

    def __init__(self, *, late: str, go: Event, stored: Semaphore, **options: Any) -> None:
        super().__init__(**options)
        self._late, self._go, self._stored = late, go, stored

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        if str(name).endswith(self._late):
            assert self._go.wait(10)
        key = super().save(name, content, max_length)
        if key.startswith("exports/"):
            self._stored.release()
        return key


def test_a_copy_that_a_slow_storage_ends_during_the_next_batch_is_entered(
    push: Push, zone: Zone, tmp_path: Path, settings: Any
) -> None:
    """F27: its own batch was recorded without it."""

    class AtRename(Meanwhile):
        def is_about(self, call: Call) -> bool:
            return bytes(call.arguments[1]).endswith(second.filename.encode())

    first, second = push(), push()
    go, stored, settings.DELIVERY_BATCH_SIZE = Event(), Semaphore(0), 1
    options = {**settings.STORAGES["exports"]["OPTIONS"], "late": first.filename, "go": go, "stored": stored}
    settings.STORAGES = {**settings.STORAGES, "exports": {"BACKEND": f"{__name__}.Slow", "OPTIONS": options}}

    def both_are_stored() -> None:
        go.set()
        assert all(stored.acquire(timeout=10) for _ in range(2))

    renamed = AtRename(operations=RENAME, act=both_are_stored)
    zone.faults.append(renamed)
    zone.drain()
    assert (renamed.struck, renamed.failed) == (1, [])
    for export in (first, second):
        export.refresh_from_db()
        assert (export.status, export.storage_key) == ("SENT", f"exports/{export.organization_id}/{export.filename}")
        assert (tmp_path / "storage" / export.storage_key).read_bytes() == (zone.folder / export.filename).read_bytes()
