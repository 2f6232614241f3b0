"""The journal outside the database: what keeps it, what it costs when a place is away, and that it raises no alarm."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller, tasks
from exports.delivery import drain
from exports.models import AckFile, ERPExport, Installation, JournalMark, Lane
from exports.rollback import entries, guard, journal_storage, pruning
from tests.exports.recovery.scene import Scene


def entries_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "journal").rglob("*.json"))


def test_each_batch_leaves_one_entry_in_both_places_with_what_restores_it(scene: Scene) -> None:
    exports = [scene.push(key=f"k{n}") for n in range(3)]
    scene.work()
    assert entries_in(settings.STATE_DIR) == entries_in(scene.folder / "storage")
    (path,) = (scene.folder / "storage" / "journal").rglob("*.json")
    lines = entries.decode(path.read_bytes())
    assert [line.export_id for line in lines] == [export.pk for export in exports]
    assert [line.idempotency_key for line in lines] == ["k0", "k1", "k2"]
    rows = {export.pk: export for export in ERPExport.objects.all()}
    for line in lines:
        row = rows[line.export_id]
        assert (line.filename, line.staged_path, line.sha256) == (row.filename, row.staged_path, row.document_sha256)


def test_deliveries_go_on_while_s3_is_down_and_a_rollback_is_noticed_by_the_folder(scene: Scene, s3: Any) -> None:
    scene.s3 = s3
    scene.push()
    scene.work()
    s3.stop()
    waiting = scene.push()
    scene.backup.save()
    scene.work()
    assert (len(scene.names), len(entries_in(settings.STATE_DIR))) == (2, 2)
    scene.restore()
    scene.work()
    assert scene.is_held()
    scene.recover()
    scene.work()
    assert scene.erp.seen.total() == 2
    waiting.refresh_from_db()
    assert waiting.status == "SENT"


@pytest.fixture
def hanging_s3(settings: Any) -> Iterator[None]:
    """A server that takes the connection and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        options = {
            "bucket_name": "orderflow",
            "endpoint_url": f"http://127.0.0.1:{server.getsockname()[1]}",
            "access_key": "test",
            "secret_key": "test",
            "region_name": "us-east-1",
        }
        s3 = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "exports": s3}
        yield


def test_a_storage_that_hangs_costs_its_patience_once(
    scene: Scene, hanging_s3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_storage, "PATIENCE_S", 0.5)
    monkeypatch.setattr(journal_storage, "REST_S", 600)
    monkeypatch.setattr("exports.documents.archive.PATIENCE_S", 0.1)
    scene.push()
    scene.work()
    begun = time.monotonic()
    assert guard.look() is False
    assert time.monotonic() - begun < 0.5
    assert (len(scene.names), len(entries_in(settings.STATE_DIR))) == (1, 1)


def test_what_only_the_folder_has_reaches_the_storage_when_it_responds(scene: Scene) -> None:
    storage = scene.folder / "storage"
    storage.write_text("no folder")
    scene.push()
    scene.work()
    assert len(scene.names) == 1
    storage.unlink()
    journal_storage.process().archive_rests_until = 0
    scene.push()
    scene.work()
    journal_storage.process().pool.shutdown(wait=True)
    assert entries_in(storage) == entries_in(settings.STATE_DIR)
    assert len(entries_in(storage)) == 2


def test_deliveries_go_on_without_any_place(scene: Scene) -> None:
    (scene.folder / "storage").write_text("no folder")
    settings.STATE_DIR.write_text("no folder")
    scene.push()
    scene.work()
    assert len(scene.names) == 1
    assert not scene.is_held()


def test_many_lanes_at_once_raise_no_alarm(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries are written late and in another order than their commits; half the workers die before they write."""
    ways = [_way(scene, number) for number in range(4)]
    for way in ways:
        for _ in range(6):
            scene.connection = way
            scene.push()
    scene.connection = ways[0]
    turn = iter(range(1_000_000))

    def late(home: str, mark: entries.Mark, content: bytes) -> bool:
        number = next(turn)
        time.sleep(number % 3 / 100)
        # As if the process were killed between its commit and its entry.
        return number % 2 == 0 and put(home, mark, content)

    put = journal_storage.put
    monkeypatch.setattr(journal_storage, "put", late)
    monkeypatch.setattr("django.conf.settings.DELIVERY_BATCH_SIZE", 1)
    monkeypatch.setattr("django.conf.settings.LANES_PER_ORGANIZATION", 9)
    monkeypatch.setattr("django.conf.settings.SUSPECT_LANES", 9)
    workers = [threading.Thread(target=_drain, args=(way,)) for way in ways]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not guard.look()
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}
    assert JournalMark.objects.count() == 24
    assert len(entries_in(settings.STATE_DIR)) == 12


def _way(scene: Scene, number: int) -> ERPConnection:
    changes = ConnectionChanges(name=f"Way {number}", config={"mode": "filesystem", "export_path": "in"})
    row = ERPConnection(organization=scene.connection.organization, connector_type="DROPZONE_JSON_V1")
    return connection_service.save(row, changes, actor="test")


def _drain(connection: ERPConnection) -> None:
    try:
        drain.drain(connection.pk)
    finally:
        connections.close_all()


def test_marks_that_are_forgotten_while_they_are_looked_up_raise_no_alarm(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was off for long has old entries only, and another one deletes their marks at this moment."""
    scene.push()
    scene.work()
    found = journal_storage.newest(journal_storage.local(), guard.home_of(guard.installation_row()), guard.LOOKED_UP)
    assert found
    forgot: list[str] = []

    def forget_after_first(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if not forgot and sql.startswith("SELECT"):
            forgot.append(sql)
            guard._forget(max(found).number)
        return result

    with connection.execute_wrapper(forget_after_first):
        assert guard.unknown_marks(found) == []
    assert forgot
    assert JournalMark.objects.count() == 0


def test_a_storage_that_hangs_does_not_keep_the_folder_from_being_looked_at(
    scene: Scene, hanging_s3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests may hang far longer than it is left alone."""
    monkeypatch.setattr(journal_storage, "PATIENCE_S", 0.5)
    monkeypatch.setattr(journal_storage, "REST_S", 0)
    monkeypatch.setattr("exports.documents.archive.PATIENCE_S", 0.1)
    scene.backup.save()
    scene.push()
    scene.work()
    for _ in range(journal_storage.WORKERS):
        journal_storage.outcome(journal_storage.ask_archive(journal_storage.journals))
    scene.restore()
    assert guard.look() is True


def test_a_folder_that_cannot_be_read_does_not_stop_an_installation_that_was_upgraded(scene: Scene) -> None:
    """Orders that an earlier release sent have no entries outside."""
    export = scene.push()
    ERPExport.objects.filter(pk=export.pk).update(staged_path="file:///in/elsewhere.t1-1.json.tmp")
    settings.STATE_DIR.write_text("no folder")
    waiting = scene.push()
    scene.work()
    assert waiting.filename in scene.names
    assert not scene.is_held()


def test_a_poll_that_moves_no_file_leaves_no_entry(scene: Scene, dropzone_root: Path) -> None:
    """Or a file that nobody expects would leave one for each poll, for ever."""
    (folder,) = dropzone_root.rglob("acks")
    (folder / "ack_sales_order_of_another_installation.json").write_text('{"status": "ACKED"}')
    for _ in range(2):
        ack_poller.poll(scene.connection.pk)
    assert AckFile.objects.get().verdict == "ORPHAN"
    assert JournalMark.objects.count() == 0
    assert entries_in(settings.STATE_DIR) == []


def test_numbers_that_come_again_do_not_hide_the_lost_ones(scene: Scene) -> None:
    """After a failover that lost one commit, another lane journals at once and takes its number."""
    scene.push()
    scene.backup.save()
    scene.work()
    scene.backup.restore()
    with transaction.atomic():
        assert guard.number().number == 1
    assert guard.look() is True


def test_no_journal_is_committed_any_more_once_all_are_held(scene: Scene) -> None:
    """A worker that was at it when another one noticed."""
    guard.hold("Test.")
    with pytest.raises(guard.Held), transaction.atomic():
        guard.number()
    assert JournalMark.objects.count() == 0


def test_tokens_and_revisions_jump_ahead_of_the_lost_history(scene: Scene) -> None:
    scene.backup.save()
    for _ in range(20):
        scene.push()
        scene.work()
    lost = max(Lane.objects.values_list("token", flat=True))
    connection_service.save(scene.connection, ConnectionChanges(name="Edited"), actor="test")
    scene.connection.refresh_from_db()
    revision = scene.connection.revision
    scene.restore()
    scene.work()
    scene.recover()
    assert min(Lane.objects.values_list("token", flat=True)) > lost
    scene.connection.refresh_from_db()
    assert scene.connection.revision > revision
    assert Installation.objects.get().counter >= 20


def test_old_entries_are_deleted_by_the_folder(scene: Scene, settings: Any) -> None:
    settings.JOURNAL_KEEP_DAYS = 0
    row = guard.installation_row()
    for number in (1, 2, entries.SHARD, 2 * entries.SHARD, 3 * entries.SHARD):
        mark = entries.Mark(number=number, stamp=row.uuid)
        assert journal_storage.put(guard.home_of(row), mark, b"[]")
    pruning.prune(guard.home_of(row))
    journal_storage.process().pool.shutdown(wait=True)
    journal_storage.process().local_pool.shutdown(wait=True)
    assert len(entries_in(settings.STATE_DIR)) == len(entries_in(scene.folder / "storage")) == 2


def test_a_sweep_wakes_nobody_while_all_are_held(scene: Scene) -> None:
    scene.push()
    guard.hold("Test.")
    Lane.objects.update(awake_since=None)
    tasks.sweep()
    assert not Lane.objects.filter(awake_since__isnull=False).exists()


def test_entries_that_the_database_has_forgotten_by_their_age_raise_no_alarm(scene: Scene) -> None:
    row = guard.installation_row()
    Installation.objects.update(forgotten=5)
    marks = [entries.Mark(number=number, stamp=row.uuid) for number in (4, 5, 6)]
    assert guard.unknown_marks(marks) == marks[2:]


def test_a_rollback_is_noticed_by_the_storage_where_the_folder_is_lost(scene: Scene) -> None:
    """Another machine took over, with a backup."""
    scene.push()
    scene.work()
    scene.backup.save()
    scene.push()
    scene.work()
    shutil.rmtree(settings.STATE_DIR / "journal")
    scene.restore()
    scene.work()
    assert scene.is_held()
