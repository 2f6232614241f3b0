"""What differs is told, and nothing is changed; what agrees is not told."""

import os
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.delivery import drain
from exports.models import ERPExport
from exports.push_service import PushRequest
from exports.reconciliation.findings import Kind, Repair
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import connect_to
from tests.exports.reconciliation.differences import (
    ACK,
    DIFFERENCES,
    UNKNOWN,
    Differ,
    copy_missing,
    everything,
    kinds,
    overdue,
    put,
    reconcile,
)
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server


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
    drain.drain(connection.pk)
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
    drain.drain(connection.pk)
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
    drain.drain(connection.pk)
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
