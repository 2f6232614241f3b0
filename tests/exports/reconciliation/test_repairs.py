"""Only what is named is mended, by whoever holds the lanes."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports.delivery import drain
from exports.lanes import leases
from exports.models import ERPExport, Lane
from exports.reconciliation import reconcile as reconciliation
from exports.reconciliation import run as reconciliation_run
from exports.reconciliation.findings import Repair
from exports.rollback import guard
from tests.exports.conftest import Push, names
from tests.exports.reconciliation.differences import (
    UNKNOWN,
    arrived,
    copy_missing,
    in_doubt,
    kinds,
    orphaned_temporary,
    put,
    reconcile,
    run_of,
    unrecorded,
)


def test_copies_are_stored_again_with_the_bytes_that_were_sent(sent: ERPExport, place: Path, tmp_path: Path) -> None:
    copy = tmp_path / "storage" / sent.storage_key
    content = copy.read_bytes()
    copy.unlink()
    reconcile("--repair", "copies")
    assert copy.read_bytes() == content
    assert hashlib.sha256(content).hexdigest() == sent.document_sha256


def test_a_copy_is_not_stored_when_the_order_is_another_one_by_now(
    sent: ERPExport, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "storage" / sent.storage_key).unlink()
    sent.draft_order.lines.update(qty=999)
    (finding,) = reconcile("--repair", "copies")["findings"]
    assert (finding["kind"], finding["repaired"]) == ("copy_missing", False)
    assert "does not render to what was sent" in finding["problem"]
    assert not (tmp_path / "storage" / sent.storage_key).exists()


@pytest.mark.parametrize("erp_took_it", [True, False])
def test_a_state_is_never_made_up_but_found_by_the_next_try(
    sent: ERPExport, connection: ERPConnection, place: Path, erp_took_it: bool
) -> None:
    """F1, F2."""
    (in_doubt if erp_took_it else arrived)(sent, place, place)
    reconcile("--repair", "states")
    sent.refresh_from_db()
    assert (sent.status, sent.next_attempt_at) == ("PENDING", None)
    assert Lane.objects.get(kind="DELIVERY").awake_since is not None
    drain.drain(connection.pk)
    sent.refresh_from_db()
    assert sent.status == "SENT"
    assert names(place / "in") == ([] if erp_took_it else [sent.filename])


def test_needed_and_foreign_temporaries_stay(sent: ERPExport, push: Push, place: Path) -> None:
    """F14: only our own, and only long after their export's end."""
    exports = {
        "pending": push(),
        "not answered": sent,
        "failed and staged": _journaled(_failed(push()), place),
        "failed just now": _failed(push(), settled_at=timezone.now()),
    }
    names = [*(export.filename for export in exports.values()), UNKNOWN, "invoice.json"]
    kept = [put(place / "in" / f"{name}.tmp") for name in names]
    gone = put(place / "in" / f"{_failed(push()).filename}.tmp")
    reconcile("--repair", "temporaries")
    assert all(path.exists() for path in kept)
    assert not gone.exists()


def _journaled(export: ERPExport, place: Path) -> ERPExport:
    ERPExport.objects.filter(pk=export.pk).update(staged_path=f"file://{place}/in/{export.filename}.tmp")
    return export


def _failed(export: ERPExport, **fields: Any) -> ERPExport:
    """Long ago, and before anything was staged, unless told otherwise."""
    values = {"status": "FAILED", "settled_at": timezone.now() - timedelta(days=2)} | fields
    ERPExport.objects.filter(pk=export.pk).update(**values)
    return export


def test_what_is_under_way_is_not_told(sent: ERPExport, connection: ERPConnection, place: Path) -> None:
    unrecorded(sent)
    with leases.holding(connection.pk, Lane.Kind.DELIVERY):
        assert reconcile()["findings"] == []
    assert kinds(reconcile()) == [("arrived", False)]


def test_a_repair_does_not_wait_while_all_are_held(sent: ERPExport, connection: ERPConnection, place: Path) -> None:
    path = place / "in" / orphaned_temporary(sent, place, place)[0].removeprefix("in/")
    guard.hold("Test.")
    outcome = reconcile("--repair", "temporaries")
    assert (outcome["code"], path.exists()) == (2, True)
    assert outcome["error"] == "Deliveries and polls are held: Test. Then repeat the repair."
    assert kinds(reconcile()) == [("orphaned_temporary", False)]


def test_a_repair_waits_for_the_lane_and_holds_it(
    sent: ERPExport, connection: ERPConnection, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation_run, "PATIENCE_S", 0.5)
    path = place / "in" / orphaned_temporary(sent, place, place)[0].removeprefix("in/")
    with leases.holding(connection.pk, Lane.Kind.ACKS):
        outcome = reconcile("--repair", "temporaries")
    assert (outcome["code"], path.exists()) == (2, True)
    assert "Somebody else has worked" in outcome["error"]

    steps = reconciliation.reconcile(run_of(connection, Repair.TEMPORARIES))
    next(steps)
    for kind in Lane.Kind:
        with leases.holding(connection.pk, kind) as lease:
            assert lease is None
    steps.close()
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease


def test_a_repair_that_lost_its_lane_mends_no_more(
    sent: ERPExport, connection: ERPConnection, place: Path, tmp_path: Path
) -> None:
    """F21."""
    copy_missing(sent, place, tmp_path / "storage")
    steps = reconciliation.reconcile(run_of(connection, Repair.COPIES))
    next(steps)
    Lane.objects.update(token=99)
    with pytest.raises(leases.LaneLost):
        next(steps)
    assert not (tmp_path / "storage" / sent.storage_key).exists()
