"""A database that goes back in time, and what `recover` makes of it."""

import pytest

from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.fencing import LeaseLost
from exports import tasks
from exports.models import ERPExport
from orderflow.orders import approval
from orderflow.orders.models import DraftOrder
from tests.exports.recovery.scene import Scene, status_of


@pytest.mark.parametrize("loss", ["an older backup", "the last second of commits"])
@pytest.mark.parametrize("erp", ["fast ERP", "slow ERP"])
@pytest.mark.parametrize("archive", ["folder", "s3", "missing folder", "missing s3"])
def test_nothing_is_sent_before_recover_and_everything_once_after_it(
    loss: str, erp: str, archive: str, scene: Scene, request: pytest.FixtureRequest
) -> None:
    """F34."""
    scene.s3 = request.getfixturevalue("s3") if "s3" in archive else None
    scene.erp.is_fast = erp == "fast ERP"
    before = scene.push()
    scene.work()
    waiting, approved = scene.make_order(), scene.make_order()
    waiting_export = scene.push(waiting)
    if loss == "an older backup":
        scene.backup.save()
    acked, refused, later = (scene.make_order() for _ in range(3))
    exports = {order.pk: scene.push(order, "k1") for order in (approved, acked, refused, later)}
    if loss != "an older backup":
        scene.backup.save()
    scene.work()
    scene.erp.take()
    scene.erp.acknowledge(before.filename)
    scene.erp.acknowledge(exports[acked.pk].filename)
    scene.erp.refuse(exports[refused.pk].filename)
    scene.work()
    sent = scene.names
    assert (len(sent), scene.erp.seen.total()) == (6, 6)

    scene.restore()
    if "missing" in archive:
        scene.lose_archive()
    scene.work()
    assert scene.is_held()
    again = scene.push(approved, "k1")
    scene.work()
    assert scene.names == sent

    scene.recover()
    assert not scene.is_held()
    scene.work()
    scene.work()
    assert scene.names == sent
    assert [name for name, count in scene.erp.seen.items() if count > 1] == []
    assert status_of(waiting) == ("PUSHED", ["SENT"])
    assert ERPExport.objects.get(draft_order=waiting).pk == waiting_export.pk
    assert ERPExport.objects.get(pk=before.pk).status == "ACKED"
    assert status_of(approved) == ("PUSHED", ["SENT"])
    again.refresh_from_db()
    assert (again.filename, again.idempotency_key) == (exports[approved.pk].filename, "k1")
    # What is in no place any more is named.
    lost = [order for order in (acked, refused, later) if not DraftOrder.objects.filter(pk=order.pk).exists()]
    assert scene.named("unknown") == {exports[order.pk].filename for order in lost}
    if loss == "an older backup" and "missing" in archive:
        return
    assert not lost
    assert status_of(acked) == ("PUSHED", ["ACKED"])
    assert status_of(refused) == ("ERROR", ["FAILED"])
    assert status_of(later) == ("PUSHED", ["SENT"])
    assert {ERPExport.objects.get(draft_order=order).pk for order in (acked, refused, later)} == {
        exports[order.pk].pk for order in (acked, refused, later)
    }


def test_what_the_lost_journal_staged_and_never_published_goes_once(scene: Scene) -> None:
    """The worker died between the journal's entry outside and the rename."""
    order = scene.make_order()
    scene.backup.save()
    export = scene.push(order)
    scene.work()
    # Undo the rename: the temporary file is what such a death leaves.
    staged = ERPExport.objects.get(pk=export.pk).staged_path.rpartition("/")[2]
    (published,) = (scene.erp.place / "in").iterdir()
    published.rename(published.with_name(staged))
    scene.restore()
    scene.work()
    assert scene.is_held()
    assert scene.recover() == 0
    scene.work()
    assert scene.names == {export.filename}
    assert status_of(order) == ("PUSHED", ["SENT"])
    assert len(list((scene.erp.place / "in").iterdir())) == 1


def test_a_dry_run_changes_nothing_and_tells_the_same(scene: Scene) -> None:
    orders = [scene.make_order() for _ in range(3)]
    scene.backup.save()
    for order in orders:
        scene.push(order)
    scene.work()
    scene.restore()
    scene.work()
    assert scene.recover("--dry-run") == 0
    told = scene.report
    assert (scene.is_held(), ERPExport.objects.count()) == (True, 0)
    assert {status_of(order)[0] for order in orders} == {"APPROVED"}
    assert scene.recover() == 0
    assert len(told["recreated"]) == 3
    assert told == {**scene.report, "dry_run": True, "at": told["at"]}


def test_a_retry_after_a_refusal_comes_back_as_a_chain(scene: Scene) -> None:
    from exports import push_service  # noqa: PLC0415
    from exports.push_service import PushRequest  # noqa: PLC0415

    order = scene.make_order()
    scene.backup.save()
    first = scene.push(order)
    scene.work()
    scene.erp.take()
    scene.erp.refuse(first.filename)
    scene.work()
    order.refresh_from_db()
    second = push_service.retry(PushRequest(order=order, actor="ops", connection=scene.connection))
    scene.work()
    scene.erp.take()
    scene.restore()
    scene.work()
    # A client that got no response repeats its push.
    repeated = scene.push(order, "k9")
    assert scene.recover() == 0
    scene.work()
    assert scene.erp.orders == {str(order.pk): 2}
    assert status_of(order) == ("PUSHED", ["FAILED", "SENT"])
    assert ERPExport.objects.get(filename=second.filename).status == "SENT"
    repeated.refresh_from_db()
    assert (repeated.filename, repeated.status) == (first.filename, "FAILED")


def test_an_edit_that_was_lost_comes_back_from_the_document(scene: Scene) -> None:
    order = scene.make_order(notes="as of the backup")
    scene.backup.save()
    order.notes = "as it was sent"
    order.save()
    order.lines.create(line_no=2, internal_sku="7", qty=3, uom="ST", unit_price="1.2500")
    scene.push(order)
    scene.work()
    scene.restore()
    scene.work()
    assert scene.recover() == 0
    scene.work()
    order.refresh_from_db()
    assert (order.status, order.notes, order.lines.count()) == ("PUSHED", "as it was sent", 2)
    assert scene.erp.orders == {str(order.pk): 1}


def test_workers_that_kept_running_notice_it_with_their_next_batch(scene: Scene) -> None:
    """As in a failover: nobody restarts them."""
    scene.backup.save()
    lost = scene.push()
    scene.work()
    scene.backup.restore()
    other = scene.push()
    scene.work()
    assert (scene.is_held(), scene.names) == (True, {lost.filename})
    assert scene.recover() == 0
    scene.work()
    assert scene.names == {lost.filename, other.filename}
    assert scene.erp.seen.total() == 2


def test_the_sweep_notices_it_where_nothing_waits(scene: Scene) -> None:
    scene.push()
    scene.backup.save()
    scene.work()
    scene.backup.restore()
    tasks.sweep()
    assert scene.is_held()


def test_the_override_lets_the_lanes_go_and_warns(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command  # noqa: PLC0415

    scene.backup.save()
    scene.push()
    scene.work()
    scene.restore()
    scene.work()
    assert scene.is_held()
    call_command("recover", "--accept")
    assert "AGAIN" in capsys.readouterr().err
    export = scene.push()
    scene.work()
    assert not scene.is_held()
    assert export.filename in scene.names


def test_an_order_that_was_entered_again_is_not_sent_twice(scene: Scene) -> None:
    """Its number is unique for its customer: the sent one cannot come back, and is named."""
    scene.backup.save()
    lost = scene.push(scene.make_order(external_order_number="PO-77"))
    scene.work()
    scene.restore()
    again = scene.make_order(external_order_number="PO-77")
    scene.push(again)
    scene.work()
    assert scene.is_held()
    assert scene.recover() == 1
    scene.work()
    assert scene.named("unknown") == {lost.filename}
    assert scene.names == {lost.filename}
    assert status_of(again) == ("PUSHING", ["PENDING"])


def test_a_forgotten_removal_of_a_damaged_file_is_not_taken_for_a_delivery(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is back at the journal line of a file that its worker removed, and no line followed."""
    export = scene.push()
    with monkeypatch.context() as patch:
        patch.setattr(LocalDropzone, "rename", _died)
        scene.work()
    (temporary,) = (scene.erp.place / "in").iterdir()
    temporary.write_bytes(b"half")
    scene.backup.save()
    with monkeypatch.context() as patch:
        patch.setattr(LocalDropzone, "write", _died)
        scene.work()
    assert [*(scene.erp.place / "in").iterdir()] == []
    scene.restore()
    scene.work()
    assert scene.is_held()
    scene.recover()
    scene.work()
    export.refresh_from_db()
    assert (export.status, scene.names) == ("SENT", {export.filename})


def _died(*_: object) -> None:
    raise LeaseLost("The worker died.")


@pytest.mark.parametrize("archive", ["kept", "lost"])
def test_a_reopened_order_whose_number_was_taken_after_the_restore_is_named(archive: str, scene: Scene) -> None:
    """B49. The database forgot that it was reopened and sent."""
    order = scene.make_order(external_order_number="PO-X", status="REJECTED")
    scene.backup.save()
    approval.approve(approval.reopen(order, "ops"), "ops")
    export = scene.push(order)
    scene.work()
    scene.restore()
    if archive == "lost":
        scene.lose_archive()
    other = scene.make_order(external_order_number="PO-X")
    scene.work()
    scene.recover()
    assert export.filename in scene.named("unknown")
    assert status_of(order) == ("REJECTED", [])
    assert status_of(other) == ("APPROVED", [])
