"""Database, dropzone and copies against each other: what differs is told, and mended only where that was asked for."""

import hashlib
import json
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from connectors import connection_service, health
from connectors.connection_service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller, delivery, lanes, push_service
from exports.models import AckFile, ERPExport, ExportEvent, Lane
from exports.push_service import PushRequest
from exports.reconciliation import reconcile as reconciliation
from exports.reconciliation import run as reconciliation_run
from exports.reconciliation.findings import Kind, Repair
from exports.reconciliation.run import Run
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, names
from tests.servers.openssh import OpenSSHServer, openssh_server

LONG_AGO = time.time() - 2 * 24 * 3600
UNKNOWN = f"sales_order_{uuid4()}_20261123T100000Z_0123abcd.json"
ACK = '{"status": "ACKED", "erp_order_id": "SO-1"}'


@pytest.fixture
def place(connection: ERPConnection, folder: Path) -> Path:
    """Where the connection's folders are."""
    return folder


@pytest.fixture
def sent(push: Push, connection: ERPConnection, place: Path) -> ERPExport:
    export = push()
    delivery.drain(connection.pk)
    # Old enough for its copy to have to be there.
    ERPExport.objects.filter(pk=export.pk).update(sent_at=timezone.now() - timedelta(minutes=5))
    export.refresh_from_db()
    assert export.status == "SENT"
    return export


def reconcile(*arguments: str) -> dict[str, Any]:
    """The outcome as JSON, with the exit code."""
    out, code = StringIO(), 0
    try:
        call_command("reconcile", "acme", *arguments, "--json", stdout=out, stderr=StringIO())
    except CommandError as error:
        code = error.returncode
    outcome: dict[str, Any] = json.loads(out.getvalue())
    return outcome | {"code": code}


def kinds(outcome: dict[str, Any]) -> list[tuple[str, bool]]:
    return sorted((finding["kind"], finding["repaired"]) for finding in outcome["findings"])


def put(path: Path, content: str | bytes = b"x", *, when: float = LONG_AGO) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (when, when))
    return path


def overdue(export: ERPExport) -> None:
    ERPExport.objects.filter(pk=export.pk).update(answer_due_at=timezone.now() - timedelta(hours=1))


def unrecorded(export: ERPExport) -> None:
    """As a worker leaves it that died before it could commit SENT."""
    ERPExport.objects.filter(pk=export.pk).update(
        status="PENDING", sent_at=None, answer_due_at=None, dropzone_path="",
        next_attempt_at=timezone.now() + timedelta(hours=4),
    )  # fmt: skip
    DraftOrder.objects.filter(pk=export.draft_order_id).update(status="PUSHING")


def everything(place: Path, tmp_path: Path) -> object:
    """All rows, and all files with their bytes and times."""
    models = (ERPExport, ExportEvent, AckFile, Lane, ERPConnection, DraftOrder, AuditEntry)
    rows = [sorted(map(str, model.objects.values())) for model in models]
    files = [path for root in (place, tmp_path / "storage") for path in sorted(root.rglob("*"))]
    return rows, [(p, p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None) for p in files]


# What can differ, one at a time: each gives the finding's file and the export that it is about.
Differ = Callable[[ERPExport, Path, Path], tuple[str, bool]]


def arrived(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    unrecorded(export)
    return f"in/{export.filename}", True


def in_doubt(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    unrecorded(export)
    (place / "in" / export.filename).unlink()
    return export.staged_path, True


def missing(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    overdue(export)
    (place / "in" / export.filename).unlink()
    return f"in/{export.filename}", True


def failed_but_there(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    push_service.give_up(export, actor="ops", reason="no answer")
    return f"in/{export.filename}", True


def of_another_size(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    put(place / "in" / export.filename, "{}")
    return f"in/{export.filename}", True


def with_other_bytes(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    assert export.document_size
    put(place / "in" / export.filename, b"x" * export.document_size)
    return f"in/{export.filename}", True


def copy_missing(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    (storage / export.storage_key).unlink()
    return export.storage_key, True


def copy_never_stored(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    (storage / export.storage_key).unlink()
    ERPExport.objects.filter(pk=export.pk).update(storage_key="")
    return export.storage_key, True


def copy_different(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    put(storage / export.storage_key, "{}")
    return export.storage_key, True


def unexpected(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    put(place / "in" / UNKNOWN)
    return f"in/{UNKNOWN}", False


def unexpected_temporary(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    """F14: in our form, and yet somebody else's."""
    put(place / "in" / f"{UNKNOWN}.tmp")
    return f"in/{UNKNOWN}.tmp", False


def orphaned_temporary(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    """F14."""
    put(place / "in" / f"{export.filename}.tmp")
    return f"in/{export.filename}.tmp", True


def answer_not_read(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    put(place / "acks" / f"ack_{export.filename}", ACK)
    return f"ack_{export.filename}", True


def answer_not_archived(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    """A3: the ledger has it, and the process died before it moved the file."""
    path = put(place / "acks" / f"ack_{export.filename}", ACK)
    ack_poller.poll(export.connection_id)
    (place / "acks" / "processed" / path.name).rename(path)
    return path.name, True


def answer_not_recorded(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    put(place / "acks" / "processed" / f"ack_{export.filename}", ACK)
    return f"acks/processed/ack_{export.filename}", True


DIFFERENCES: dict[Differ, tuple[Kind, Repair | None]] = {
    arrived: (Kind.ARRIVED, Repair.STATES),
    in_doubt: (Kind.IN_DOUBT, Repair.STATES),
    missing: (Kind.MISSING, None),
    failed_but_there: (Kind.FAILED_BUT_THERE, None),
    of_another_size: (Kind.DIFFERENT, None),
    with_other_bytes: (Kind.DIFFERENT, None),
    copy_missing: (Kind.COPY_MISSING, Repair.COPIES),
    copy_never_stored: (Kind.COPY_MISSING, Repair.COPIES),
    copy_different: (Kind.COPY_DIFFERENT, None),
    unexpected: (Kind.UNEXPECTED, None),
    unexpected_temporary: (Kind.UNEXPECTED, None),
    orphaned_temporary: (Kind.ORPHANED_TEMPORARY, Repair.TEMPORARIES),
    # It polls, which would read the other.
    answer_not_archived: (Kind.ANSWER_NOT_ARCHIVED, Repair.ANSWERS),
    answer_not_read: (Kind.ANSWER_NOT_READ, None),
    answer_not_recorded: (Kind.ANSWER_NOT_RECORDED, None),
}


@pytest.fixture(params=DIFFERENCES, ids=lambda differ: differ.__name__)
def difference(request: pytest.FixtureRequest) -> Differ:
    differ: Differ = request.param
    return differ


def test_every_kind_has_its_difference_here() -> None:
    assert {kind for kind, _ in DIFFERENCES.values()} == set(Kind)
    assert all(kind.repair == repair for kind, repair in DIFFERENCES.values())


def test_a_difference_is_told_and_nothing_is_changed(
    sent: ERPExport, place: Path, tmp_path: Path, difference: Differ
) -> None:
    file, has_export = difference(sent, place, tmp_path / "storage")
    before = everything(place, tmp_path)
    outcome = reconcile()
    kind, repair = DIFFERENCES[difference]
    (finding,) = outcome["findings"]
    assert finding == {
        "kind": kind, "export": str(sent.pk) if has_export else None, "file": file, "meaning": kind.meaning,
        "repair": repair, "repair_does": repair and repair.does, "repaired": False, "problem": None,
    }  # fmt: skip
    assert (outcome["code"], outcome["counts"], outcome["error"]) == (1, {kind: 1}, None)
    assert everything(place, tmp_path) == before
    assert kinds(reconcile("--dry-run")) == [(kind, False)]


def test_a_repair_mends_what_it_names_and_nothing_else(
    sent: ERPExport, connection: ERPConnection, place: Path, tmp_path: Path, difference: Differ
) -> None:
    difference(sent, place, tmp_path / "storage")
    kind, repair = DIFFERENCES[difference]
    others = ",".join(set(Repair) - {repair})
    files = everything(place, tmp_path)[1]  # type: ignore[index]
    assert kinds(reconcile("--repair", others)) == [(kind, False)]
    assert everything(place, tmp_path)[1] == files  # type: ignore[index]

    outcome = reconcile("--repair", ",".join(Repair))
    assert (outcome["code"], outcome["repaired"], kinds(outcome)) == (1, int(bool(repair)), [(kind, bool(repair))])
    delivery.drain(connection.pk)
    assert [kind for kind, _ in kinds(reconcile())] == ([] if repair else [kind])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSSHServer]:
    with openssh_server(tmp_path / "sshd") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


def test_everything_is_told_and_mended_behind_a_server_too(
    organization: Organization, server: OpenSSHServer, make_order: MakeOrder, dropzone_root: Path, tmp_path: Path
) -> None:
    connection = connect_to(server, organization)
    exports = [push_service.push(PushRequest(order=make_order(), actor="ops")) for _ in DIFFERENCES]
    delivery.drain(connection.pk)
    ERPExport.objects.update(sent_at=timezone.now() - timedelta(minutes=5))
    for export, difference in zip(exports, DIFFERENCES, strict=True):
        export.refresh_from_db()
        difference(export, server.root, tmp_path / "storage")
    before = everything(server.root, tmp_path)
    expected = sorted((kind, repair) for kind, repair in DIFFERENCES.values())
    outcome = reconcile()
    assert sorted((found["kind"], found["repair"]) for found in outcome["findings"]) == expected
    assert everything(server.root, tmp_path) == before

    mended = [(kind, bool(repair)) for kind, repair in expected]
    assert kinds(reconcile("--repair", "copies,temporaries,states,answers")) == mended
    delivery.drain(connection.pk)
    assert kinds(reconcile()) == [(kind, False) for kind, repair in expected if not repair]


def test_what_agrees_is_told_as_such(sent: ERPExport, place: Path) -> None:
    out = StringIO()
    call_command("reconcile", "acme", stdout=out)
    assert "agree" in out.getvalue()
    assert reconcile()["findings"] == []


def test_a_file_that_the_erp_took_is_no_difference_before_its_answer_is_due(sent: ERPExport, place: Path) -> None:
    (place / "in" / sent.filename).unlink()
    assert reconcile()["code"] == 0


def test_a_file_that_an_erp_leaves_behind_its_answer_is_no_difference(
    sent: ERPExport, connection: ERPConnection, place: Path
) -> None:
    refusal = '{"status": "FAILED", "error_code": "X", "message": "Unknown customer"}'
    put(place / "acks" / f"error_{sent.filename}", refusal)
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert (sent.status, reconcile()["code"]) == ("FAILED", 0)


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
    delivery.drain(connection.pk)
    sent.refresh_from_db()
    assert sent.status == "SENT"
    assert names(place / "in") == ([] if erp_took_it else [sent.filename])


def test_young_needed_and_foreign_temporaries_stay(sent: ERPExport, push: Push, place: Path) -> None:
    """F14: only our own, and only old ones."""
    pending, failed = push(), push()
    ERPExport.objects.filter(pk=failed.pk).update(status="FAILED", staged_path=f"sftp://elsewhere/in/{failed.filename}")
    kept = {
        put(place / "in" / f"{sent.filename}.tmp", when=time.time() - 3600),
        put(place / "in" / f"{pending.filename}.tmp"),
        put(place / "in" / f"{failed.filename}.tmp"),
        put(place / "in" / "invoice.json.tmp"),
        put(place / "in" / f"{UNKNOWN}.tmp"),
    }
    reconcile("--repair", "temporaries")
    assert all(path.exists() for path in kept)


def test_hostile_and_foreign_names_are_not_ours_to_look_at(sent: ERPExport, place: Path) -> None:
    """A5, A7, A11."""
    for name in (b"caf\xe9.json", b"sales_order_x.json", b"invoice.json", b"a\nb.json", b"x" * 200):
        (place / "in" / os.fsdecode(name)).write_bytes(b"x")
    (place / "in" / UNKNOWN).symlink_to("/etc/passwd")
    put(place / "acks" / f"ack_{UNKNOWN}", ACK)
    assert reconcile()["findings"] == []


def test_a_neighbour_in_the_same_folder_has_its_own_files(
    sent: ERPExport, connection: ERPConnection, place: Path
) -> None:
    """A5."""
    row = ERPConnection(organization=connection.organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="Neighbour", config=connection.stored_config())
    neighbour = connection_service.save(row, changes, actor="test")
    assert kinds(reconcile("Neighbour")) == []
    overdue(sent)
    (place / "in" / sent.filename).unlink()
    assert kinds(reconcile("Neighbour")) == []
    assert neighbour.pk != sent.connection_id


def test_only_the_time_span_is_compared(sent: ERPExport, place: Path, tmp_path: Path) -> None:
    copy_missing(sent, place, tmp_path / "storage")
    moment = sent.created_at
    before, after = ((moment + timedelta(microseconds=n)).isoformat() for n in (0, 1))
    assert reconcile("--until", before)["code"] == 0
    assert reconcile("--since", after)["code"] == 0
    assert reconcile("--since", before, "--until", after)["code"] == 1
    ERPExport.objects.update(created_at=moment - timedelta(days=8))
    assert reconcile()["code"] == 0


def test_what_is_under_way_is_not_told(sent: ERPExport, connection: ERPConnection, place: Path) -> None:
    unrecorded(sent)
    with lanes.holding(connection.pk, Lane.Kind.DELIVERY):
        assert reconcile()["findings"] == []
    assert kinds(reconcile()) == [("arrived", False)]


def test_a_repair_waits_for_the_lane_and_holds_it(
    sent: ERPExport, connection: ERPConnection, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation_run, "PATIENCE_S", 0.5)
    path = place / "in" / orphaned_temporary(sent, place, place)[0].removeprefix("in/")
    with lanes.holding(connection.pk, Lane.Kind.ACKS):
        outcome = reconcile("--repair", "temporaries")
    assert (outcome["code"], path.exists()) == (2, True)
    assert "Somebody else has worked" in outcome["error"]

    steps = reconciliation.reconcile(run_of(connection, Repair.TEMPORARIES))
    next(steps)
    for kind in Lane.Kind:
        with lanes.holding(connection.pk, kind) as lease:
            assert lease is None
    steps.close()
    with lanes.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease


def test_a_repair_that_lost_its_lane_mends_no_more(
    sent: ERPExport, connection: ERPConnection, place: Path, tmp_path: Path
) -> None:
    """F21."""
    copy_missing(sent, place, tmp_path / "storage")
    steps = reconciliation.reconcile(run_of(connection, Repair.COPIES))
    next(steps)
    Lane.objects.update(token=99)
    with pytest.raises(lanes.LaneLost):
        next(steps)
    assert not (tmp_path / "storage" / sent.storage_key).exists()


def run_of(connection: ERPConnection, *repairs: Repair) -> Run:
    now = timezone.now()
    return Run(connection=connection, since=now - timedelta(days=1), until=now, repairs=frozenset(repairs))


def test_a_place_that_cannot_be_listed_is_no_lot_of_missing_files(sent: ERPExport, place: Path) -> None:
    """A15, for orders."""
    overdue(sent)
    (place / "in").rename(place / "away")
    outcome = reconcile()
    assert (outcome["code"], outcome["findings"]) == (2, [])
    assert "in" in outcome["error"]


def test_a_storage_that_does_not_answer_is_no_lot_of_missing_copies(
    sent: ERPExport, place: Path, tmp_path: Path
) -> None:
    """F27."""
    copy = tmp_path / "storage" / sent.storage_key
    copy.unlink()
    copy.mkdir()
    outcome = reconcile()
    assert (outcome["code"], outcome["findings"]) == (2, [])
    assert sent.storage_key in outcome["error"]


def test_a_blocked_connection_is_not_tried(sent: ERPExport, connection: ERPConnection) -> None:
    """F18."""
    health.block(connection.pk, "The password was refused.")
    outcome = reconcile()
    assert outcome["code"] == 2
    assert "The password was refused." in outcome["error"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nobody"], "'nobody' has no default connection"),
        (["acme", "--since", "2026-01-02", "--until", "2026-01-01"], "is not before --until"),
        (["acme", "--repair", "everything"], "there is no repair 'everything'; there are copies, temporaries"),
        (["acme", "--dry-run", "--repair", "copies"], "not allowed with"),
        (["acme", "--since", "yesterday"], "--since"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(folder: Path, arguments: list[str], complaint: str) -> None:
    row = ERPConnection(organization=Organization.objects.get(), connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="X", is_default=True, config={"mode": "filesystem", "export_path": "in"})
    connection_service.save(row, changes, actor="test")
    with pytest.raises(CommandError, match=complaint):
        call_command("reconcile", *arguments, stdout=StringIO(), stderr=StringIO())


def test_very_many_files_are_looked_at_in_little_memory(connection: ERPConnection, place: Path) -> None:
    """A14, for orders."""
    for n in range(10_000):
        (place / "in" / f"sales_order_{uuid4()}_20261123T100000Z_{n:08x}.json").touch()
    list(reconciliation.reconcile(run_of(connection)))
    tracemalloc.start()
    found = sum(len(step.findings) for step in reconciliation.reconcile(run_of(connection)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 10_000
    assert peak < 5_000_000
