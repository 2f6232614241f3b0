"""A lane with much to do keeps neither the workers nor their memory to itself."""

from concurrent.futures import wait
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from connectors.types import file_batches
from exports import ack_poller, push_service
from exports.delivery import drain
from exports.documents import archive
from exports.lanes import dispatch
from exports.models import ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrderLine
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push


@pytest.fixture
def neighbor(dropzone_root: Path) -> ERPConnection:
    """Another organization's."""
    organization = Organization.objects.create(name="Neighbor", slug="neighbor")
    (dropzone_root / "neighbor" / "in").mkdir(parents=True)
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="Folder", is_default=True, config={"mode": "filesystem", "export_path": "in"})
    return connection_service.save(row, changes, actor="test")


def test_a_long_lane_lines_up_behind_the_others_after_each_slice(
    make_order: MakeOrder, connection: ERPConnection, neighbor: ERPConnection, queue: list[UUID], settings: Any
) -> None:
    settings.DELIVERY_SLICE_S, settings.DELIVERY_BATCH_SIZE = 0, 2
    for tenant in [connection.organization] * 5 + [neighbor.organization]:
        push_service.push(PushRequest(order=make_order(tenant=tenant), actor="ops"))
    for lane in (connection, neighbor):
        dispatch.wake(lane.pk)
    served = []
    while queue:
        served.append(queue.pop(0))
        drain.drain(served[-1])
        assert not Lane.objects.exclude(leased_until=None).exists()
    assert served[:3] == [connection.pk, neighbor.pk, connection.pk]
    assert not ERPExport.objects.exclude(status="SENT").exists()


def test_a_lane_that_is_pushed_onto_all_the_time_gets_one_turn_at_a_time(
    push: Push, connection: ERPConnection, queue: list[UUID], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = drain._deliver

    def deliver_while_others_push(*args: Any) -> None:
        push()
        dispatch.wake(connection.pk)
        deliver(*args)

    push()
    dispatch.wake(connection.pk)
    monkeypatch.setattr(drain, "_deliver", deliver_while_others_push)
    settings.DELIVERY_SLICE_S = 0
    for _ in range(5):
        drain.drain(queue.pop(0))
        assert len(queue) == 1


def test_a_batch_ends_before_it_has_more_lines_than_a_worker_should_hold(
    push: Push, connection: ERPConnection, folder: Path, settings: Any
) -> None:
    settings.DELIVERY_BATCH_LINES = 10
    sizes = [3, 6, 2, 11, 1]
    for export, size in [(push(), size) for size in sizes]:
        lines = [
            DraftOrderLine(order=export.draft_order, line_no=n, internal_sku="1", uom="ST", qty=1)
            for n in range(2, size + 1)
        ]
        DraftOrderLine.objects.bulk_create(lines)
    batches = []
    while batch := drain._next_batch(connection.pk):
        batches.append([export.draft_order.lines.count() for export in batch])
        ERPExport.objects.filter(pk__in=[export.pk for export in batch]).update(status="SENT")
    assert batches == [[3, 6], [2], [11], [1]]


def test_a_folder_full_of_files_is_read_in_turns_and_what_stays_there_does_not_keep_a_poll_from_the_rest(
    push: Push, folder: Path, queue: list[UUID], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A14."""
    exports = [push() for _ in range(6)]
    connection = exports[0].connection
    drain.drain(connection.pk)
    settings.DELIVERY_SLICE_S = 0
    monkeypatch.setattr(file_batches, "BATCH", 2)
    for export in exports:
        (folder / "acks" / f"ack_{export.filename}").write_text('{"status": "ACKED"}')
    neighbors = [f"ack_sales_order_{uuid4()}_20261123T100000Z_{n:08x}.json" for n in range(20)]
    for name in neighbors:
        (folder / "acks" / name).write_text('{"status": "ACKED"}')
    dispatch.wake(connection.pk, Lane.Kind.ACKS)
    polls = 0
    while queue:
        ack_poller.poll(queue.pop(0))
        polls += 1
        assert len(queue) <= 1
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"ACKED"}
    # Two batches each, of two files.
    assert polls == 7
    assert Lane.objects.get(kind=Lane.Kind.ACKS).passed == 0


def test_a_slow_storage_does_not_fill_a_worker_with_waiting_copies(
    connection: ERPConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = Event()

    class Slow(Storage):
        def save(self, name: str | None, *_: Any, **__: Any) -> str:
            assert go.wait(10)
            return str(name)

    monkeypatch.setattr(archive, "WAITING_BYTES", 1000)
    with archive.Copies(connection.pk) as waiting:
        waiting._storage = Slow()
        keys = {waiting.save(f"exports/{n}", ContentFile(b"x" * 600)) for n in range(2)}
        with pytest.raises(archive.StorageBehind, match="2 copies wait"):
            waiting.save("exports/2", ContentFile(b"x"))
        go.set()
        wait(waiting._under_way, timeout=10)
        assert waiting.stored() == keys
        assert waiting.save("exports/3", ContentFile(b"x")) == "exports/3"
