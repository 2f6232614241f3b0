"""Servers that cannot keep a file, or will not: what lies there afterwards, and what the export says."""

from pathlib import Path
from uuid import UUID

import asyncssh
import pytest

from connectors import connection_service
from exports.models import ERPExport
from orderflow.orders.models import DraftOrderLine
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import DENIED, DeniedStat, DiskFull, Fails, QuotaAtClose, ShortWrites
from tests.servers.faulty.server import Fault

OPEN, FLUSH, RENAME = frozenset({"open"}), frozenset({"fsync"}), frozenset({"rename"})


def long(order_id: UUID) -> None:
    """A document of more than one write."""
    lines = [DraftOrderLine(order_id=order_id, line_no=n, internal_sku="1", uom="ST", qty=1) for n in range(2, 302)]
    DraftOrderLine.objects.bulk_create(lines)


@pytest.mark.parametrize(
    "fault",
    [DiskFull(at=40_000), ShortWrites(), ShortWrites(below=1), QuotaAtClose(), Fails(operations=FLUSH)],
    ids=["write", "short write", "hole", "close", "flush"],
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
