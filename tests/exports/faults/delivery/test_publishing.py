"""Servers that cannot keep a file, or will not: what lies there afterwards, and what the export says."""

from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from connectors.connections import service as connection_service
from exports.models import ERPExport
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import (
    BARE_FAILURE,
    DENIED,
    DeniedStat,
    DiskFull,
    Fails,
    LosesAnswers,
    LosesAtFlush,
    NoSecondNames,
    QuotaAtClose,
    ShortWrites,
    TakesFiles,
)
from tests.servers.faulty.server import Call, Fault
from tests.support.exports.orders import long

OPEN, FLUSH, RENAME = frozenset({"open"}), frozenset({"fsync"}), frozenset({"rename"})


@pytest.mark.parametrize(
    "fault",
    [DiskFull(at=40_000), ShortWrites(), ShortWrites(below=1), QuotaAtClose()],
    ids=["write", "short write", "hole", "close"],
)
def test_a_file_that_is_not_whole_is_never_seen_and_goes_when_there_is_room(
    fault: Fault, push: Push, zone: Zone, tmp_path: Path
) -> None:
    """F10, F11, F12."""
    export = push()
    long(export.draft_order_id)
    zone.faults.append(fault)
    for tries in (1, 2):
        zone.drain()
        export.refresh_from_db()
        assert (export.status, export.tries, export.staged_path) == ("PENDING", tries, "")
        assert zone.names == []
        ERPExport.objects.update(next_attempt_at=None)
    assert [event.kind for event in export.events.all()] == ["REQUESTED", "RETRY", "RETRY"]
    zone.faults.clear()
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries, export.error_message) == ("SENT", 3, "")
    assert zone.names == [export.filename]
    content = (zone.folder / export.filename).read_bytes()
    assert len(content) > 40_000
    assert content == (tmp_path / "storage" / export.storage_key).read_bytes()


@pytest.mark.parametrize(
    "error",
    [
        BARE_FAILURE,
        DENIED,
        asyncssh.SFTPBadMessage("Invalid argument"),
        asyncssh.SFTPOpUnsupported("no"),
        asyncssh.SFTPNoSuchFile("no"),
        asyncssh.SFTPError(4711, "no"),
    ],
    ids=lambda error: str(error.code),
)
def test_a_flush_that_is_refused_never_decides(
    error: Exception, push: Push, zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    """F7, F10: the file is written, closed and compared all the same; the log says so once a session."""
    exports = [push() for _ in range(3)]
    zone.faults.append(Fails(operations=FLUSH, error=error))
    zone.drain()
    assert zone.names == sorted(export.filename for export in exports)
    assert set(ERPExport.objects.values_list("status", "tries")) == {("SENT", 1)}
    assert sum("does not flush files to its disk" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    "fault",
    [LosesAtFlush(), LosesAtFlush(keeps=asyncssh.SFTPBadMessage("Input/output error"))],
    ids=["shorter file", "other bytes"],
)
def test_a_flush_that_costs_bytes_fails_the_file(fault: Fault, push: Push, zone: Zone) -> None:
    """F10, F11: the storage took the bytes and lost them later; FSTAT had them all before."""
    export = push()
    zone.faults.append(fault)
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries, export.staged_path) == ("PENDING", 1, "")
    assert zone.names == []
    zone.faults.clear()
    ERPExport.objects.update(next_attempt_at=None)
    zone.drain()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])


@pytest.mark.parametrize(
    "error",
    [DENIED, asyncssh.SFTPOpUnsupported("no"), asyncssh.SFTPBadMessage("Invalid argument")],
    ids=lambda error: str(error.code),
)
def test_a_server_that_makes_no_second_names_renames_all_the_same(error: Exception, push: Push, zone: Zone) -> None:
    """F7."""
    export = push()
    zone.faults.append(NoSecondNames(error=error))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries, zone.names) == ("SENT", 1, [export.filename])


OPTION = 'Or turn "Write, then rename" off'


@pytest.mark.parametrize(
    "error",
    [DENIED, asyncssh.SFTPOpUnsupported("no"), asyncssh.SFTPBadMessage("Invalid argument"), BARE_FAILURE],
    ids=lambda error: str(error.code),
)
def test_a_place_that_renames_nothing_names_the_option_that_frees_the_order(
    error: Exception, push: Push, zone: Zone
) -> None:
    """F7, F13: also for the order that was staged before. A failure without a cause does not block."""
    exports = [push() for _ in range(2)]
    zone.faults.append(Fails(operations=RENAME, error=error))
    zone.drain()
    zone.connection.refresh_from_db()
    reason = zone.connection.blocked_reason or ERPExport.objects.values_list("error_message", flat=True)[0]
    assert "Cannot rename" in reason
    assert OPTION in reason
    zone.edit(atomic_write=False)
    ERPExport.objects.update(next_attempt_at=None)
    zone.drain()
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}
    assert zone.names == sorted(export.filename for export in exports)


def test_a_temporary_that_may_not_be_removed_does_not_hold_its_order_up(push: Push, zone: Zone) -> None:
    """F13: a place where files can be written, and nothing else."""
    export = push()
    zone.faults.append(Fails(operations=RENAME | frozenset({"remove"}), error=DENIED))
    zone.drain()
    zone.edit(atomic_write=False)
    zone.drain()
    export.refresh_from_db()
    assert export.status == "SENT"
    assert [name for name in zone.names if name.endswith(".json")] == [export.filename]


def test_a_place_that_is_only_written_to_names_the_option_and_leaves_nothing_in_doubt(push: Push, zone: Zone) -> None:
    """F9: nobody may look there, so no rename is sent, and a later attempt need not find out whether one was."""
    export = push()
    zone.faults.append(DeniedStat(operations=frozenset({"lstat"})))
    zone.drain()
    zone.connection.refresh_from_db()
    export.refresh_from_db()
    assert "Cannot look at" in zone.connection.blocked_reason
    assert OPTION in zone.connection.blocked_reason
    assert (export.status, export.staged_path, zone.names) == ("PENDING", "", [])
    zone.edit(atomic_write=False)
    zone.drain()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])


@pytest.mark.parametrize(
    ("error", "blocks"), [(BARE_FAILURE, False), (asyncssh.SFTPBadMessage("no"), True)], ids=["failure", "bad message"]
)
def test_a_look_that_fails_by_another_code_names_the_option_too(
    error: Exception, blocks: bool, push: Push, zone: Zone
) -> None:
    """B24: no rename was sent, so nothing is in doubt. A failure without a cause may pass."""
    export = push()
    zone.faults.append(Fails(operations=frozenset({"lstat"}), error=error))
    zone.drain()
    zone.connection.refresh_from_db()
    export.refresh_from_db()
    assert (zone.connection.blocked_at is not None) == blocks
    reason = zone.connection.blocked_reason or export.error_message
    assert "Cannot look at" in reason
    assert OPTION in reason
    assert (export.status, export.staged_path, zone.names) == ("PENDING", "", [])
    zone.edit(atomic_write=False)
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])


def test_what_an_earlier_attempt_may_have_published_stays_journaled_where_nobody_may_look(
    push: Push, zone: Zone
) -> None:
    """F2, F9: a rename was sent once, so the journal keeps the file, also when LSTAT is denied before the second."""

    @dataclass(kw_only=True)
    class DeniedLater(DeniedStat):
        seen: int = 0

        def is_about(self, call: Call) -> bool:  # noqa: ARG002
            self.seen += 1
            return self.seen > 2

    export = push()
    zone.faults.append(Fails(operations=RENAME, at_most=1))
    zone.drain()
    zone.faults.append(DeniedLater(operations=frozenset({"lstat"})))
    zone.drain_later()
    export.refresh_from_db()
    zone.connection.refresh_from_db()
    assert "Cannot look at" in zone.connection.blocked_reason
    assert (export.status, len(zone.names)) == ("PENDING", 1)
    assert export.staged_path.endswith(zone.names[0])


def test_a_rename_that_fails_for_no_cause_and_did_not_happen_is_told_with_the_option(push: Push, zone: Zone) -> None:
    """F4, F7: and it is attempted again."""
    export = push()
    zone.faults.append(Fails(operations=RENAME))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", 1)
    assert "Cannot rename" in export.error_message
    assert OPTION in export.error_message
    assert "is not known" not in export.error_message


def test_what_was_published_before_the_option_was_turned_off_is_not_written_again(push: Push, zone: Zone) -> None:
    """F2, F8: its rename was carried out and its response lost."""
    export = push()
    erp = TakesFiles()
    lost = LosesAnswers(hangs_up_after_s=0)
    zone.faults.extend([erp, lost])
    zone.drain()
    zone.faults.remove(lost)
    zone.faults.append(Fails(operations=RENAME, error=DENIED))
    zone.edit(atomic_write=False)
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, erp.taken, zone.names) == ("SENT", {export.filename: 1}, [])


def test_a_long_file_goes_where_nothing_may_be_read(push: Push, zone: Zone) -> None:
    """F9: then its size has to do."""
    export = push()
    long(export.draft_order_id)
    zone.faults.append(Fails(operations=frozenset({"read"}), error=DENIED))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])


def test_a_file_for_which_there_is_no_room_does_not_keep_a_smaller_one(push: Push, zone: Zone) -> None:
    """F10."""
    large, small = push(), push()
    long(large.draft_order_id)
    zone.faults.append(DiskFull(at=40_000))
    zone.drain()
    large.refresh_from_db()
    small.refresh_from_db()
    assert (large.status, small.status) == ("PENDING", "SENT")
    assert "space" in large.error_message or "disk" in large.error_message
    assert zone.names == [small.filename]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (DeniedStat(), "check the size"),
        (Fails(operations=OPEN, error=DENIED), "permission denied"),
        (Fails(operations=OPEN, error=asyncssh.SFTPNoSuchFile("")), "no such file or folder"),
        (Fails(operations=RENAME, error=asyncssh.SFTPPermissionDenied("Datei existiert bereits")), "permission denied"),
    ],
    ids=["stat", "write", "folder", "rename"],
)
def test_what_the_server_does_not_permit_blocks_the_connection_until_somebody_mends_it(
    fault: Fault, told: str, push: Push, zone: Zone
) -> None:
    """F7, F9, F13: one try, however often the lane is woken; whatever the words say."""
    exports = [push() for _ in range(3)]
    zone.faults.append(fault)
    zone.drain()
    asked = zone.server.connections[:]
    for _ in range(3):
        zone.drain_later()
    zone.connection.refresh_from_db()
    assert told in zone.connection.blocked_reason
    assert zone.server.connections == asked
    for export in exports:
        export.refresh_from_db()
        assert export.status == "PENDING"
        assert export.events.last().kind == "BLOCKED"  # type: ignore[union-attr]
    assert not [name for name in zone.names if name.endswith(".json")]

    zone.faults.clear()
    assert connection_service.test(zone.connection, actor="test").success
    zone.drain()
    assert zone.names == sorted(export.filename for export in exports)


def test_a_name_that_the_server_does_not_take_fails_its_order_alone(push: Push, zone: Zone) -> None:
    """F13: OpenSSH's word for a name too long is "bad message"."""
    refused, fine = push(), push()
    zone.faults.append(Fails(operations=OPEN, error=asyncssh.SFTPBadMessage(""), at_most=1))
    zone.drain()
    refused.refresh_from_db()
    fine.refresh_from_db()
    zone.connection.refresh_from_db()
    assert (refused.status, refused.draft_order.status, fine.status) == ("FAILED", "ERROR", "SENT")
    assert "does not take this name" in refused.error_message
    assert zone.connection.blocked_at is None
    assert zone.names == [fine.filename]
