"""Where the journal outside does not tell: nothing is sent on a guess, and what is unknown is named."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from exports.delivery import drain
from exports.models import ERPExport, Installation
from orderflow.orders.models import DraftOrder
from tests.exports.recovery.scene import Scene, status_of


def lose_journal(scene: Scene) -> None:
    """Of the local folder and of the storage, all entries but the newest: it shows that there was more."""
    for place in (settings.STATE_DIR, scene.folder / "storage"):
        entries = sorted((place / "journal").rglob("*.json"))
        for entry in entries[:-1]:
            entry.unlink()


def test_a_pending_export_that_may_have_been_sent_is_held_and_named(scene: Scene) -> None:
    """The journal has gaps, and the ERP takes files at once: only the archived document tells of it."""
    scene.erp.is_fast = True
    order, other = scene.make_order(), scene.make_order()
    waiting = scene.push(order)
    scene.backup.save()
    scene.work()
    scene.push(other)
    scene.work()
    scene.restore()
    lose_journal(scene)
    scene.work()
    assert scene.recover() == 1
    assert scene.named("held") == {waiting.filename}
    assert scene.report["gaps"] == ["1"]
    scene.work()
    assert scene.erp.seen.total() == 2
    assert status_of(order) == ("PUSHING", ["PENDING"])
    # Its acknowledgement decides it all the same.
    scene.erp.acknowledge(waiting.filename)
    scene.work()
    assert status_of(order) == ("PUSHED", ["ACKED"])


@pytest.mark.parametrize("decision", ["--sent", "--send"])
def test_a_person_decides_about_a_held_export(scene: Scene, decision: str) -> None:
    scene.erp.is_fast = True
    order = scene.make_order()
    waiting = scene.push(order)
    scene.backup.save()
    scene.work()
    scene.push()
    scene.work()
    scene.restore()
    lose_journal(scene)
    scene.work()
    scene.recover()
    call_command("recover", decision, waiting.filename, "--user", "eva", stdout=StringIO())
    scene.work()
    assert scene.erp.seen[waiting.filename] == {"--sent": 1, "--send": 2}[decision]
    assert status_of(order) == ("PUSHED", ["SENT"])
    assert waiting.events.filter(actor="eva").count() == 1
    with pytest.raises(CommandError, match="not held"):
        call_command("recover", decision, waiting.filename, stdout=StringIO())


def test_a_file_that_lies_there_with_the_archived_bytes_was_sent(scene: Scene) -> None:
    order = scene.make_order()
    waiting = scene.push(order)
    scene.backup.save()
    scene.work()
    scene.push()
    scene.work()
    scene.restore()
    lose_journal(scene)
    scene.work()
    assert scene.recover() == 0
    assert waiting.filename in scene.named("sent")
    scene.work()
    assert scene.erp.seen.total() == 2
    assert status_of(order) == ("PUSHED", ["SENT"])


def test_an_order_that_only_the_archive_knows_is_written_again_and_held(scene: Scene) -> None:
    scene.erp.is_fast = True
    scene.push()
    scene.work()
    scene.backup.save()
    order = scene.make_order()
    lost, acked = scene.push(order), scene.push()
    scene.work()
    scene.erp.acknowledge(acked.filename)
    scene.work()
    scene.restore()
    lose_journal(scene)
    scene.work()
    assert scene.recover() == 1
    assert scene.named("held") == {lost.filename}
    assert ERPExport.objects.get(filename=acked.filename).status == "ACKED"
    found = DraftOrder.objects.get(pk=order.pk)
    assert (found.status, found.external_order_number) == ("PUSHING", order.external_order_number)
    assert scene.recover() == 1
    assert scene.named("held") == {lost.filename}
    scene.work()
    assert scene.erp.seen.total() == 3


def test_without_an_archive_what_waited_is_held(scene: Scene) -> None:
    scene.erp.is_fast = True
    scene.push()
    scene.work()
    waiting = scene.push()
    scene.backup.save()
    scene.work()
    scene.push()
    scene.work()
    scene.restore()
    lose_journal(scene)
    scene.lose_archive()
    scene.work()
    assert scene.recover() == 1
    assert scene.named("held") == {waiting.filename}
    scene.work()
    assert scene.erp.seen.total() == 3


@pytest.mark.parametrize("erp", ["fast ERP", "slow ERP"])
def test_after_a_snapshot_of_the_whole_machine_what_waited_is_held(scene: Scene, erp: str, tmp_path: Path) -> None:
    """Journal and archive went back together with the database: nothing outside shows it, and --distrust says so."""
    scene.erp.is_fast = erp == "fast ERP"
    scene.push()
    scene.work()
    waiting = scene.push()
    scene.backup.save()
    places = [Path(settings.STATE_DIR), scene.folder / "storage"]
    for number, place in enumerate(places):
        shutil.copytree(place, tmp_path / f"snapshot-{number}")
    scene.work()
    assert scene.erp.seen.total() == 2
    scene.restore()
    for number, place in enumerate(places):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / f"snapshot-{number}", place)

    assert scene.recover("--distrust") == 1
    assert scene.named("held") == {waiting.filename}
    waiting.refresh_from_db()
    assert ("lies at the dropzone" in waiting.error_message) is not scene.erp.is_fast
    scene.work()
    assert scene.erp.seen.total() == 2


def test_a_connection_without_a_journal_is_judged_by_the_archive(scene: Scene) -> None:
    """With `atomic_write` off nothing is journaled."""
    changes = ConnectionChanges(config={"atomic_write": False})
    connection_service.save(scene.connection, changes, actor="test")
    scene.erp.is_fast = True
    waiting = scene.push()
    scene.backup.save()
    scene.work()
    scene.restore()
    assert scene.recover() == 1
    assert scene.named("held") == {waiting.filename}
    scene.work()
    assert scene.erp.seen.total() == 1


def test_a_backup_from_before_the_journal_is_held_and_judged(scene: Scene) -> None:
    """As an upgraded installation finds it after an older backup was restored and migrated."""
    scene.erp.is_fast = True
    scene.push()
    scene.work()
    waiting = scene.push()
    Installation.objects.all().delete()
    shutil.rmtree(settings.STATE_DIR)
    shutil.rmtree(scene.folder / "storage" / "journal")
    scene.backup.save()
    scene.work()
    scene.restore()
    drain.drain(scene.connection.pk)
    assert scene.is_held()
    assert scene.recover() == 0
    scene.work()
    assert scene.erp.seen.total() == 2
    waiting.refresh_from_db()
    assert waiting.status == "SENT"
