"""What cannot be compared, or not meant; and how much can be."""

import tracemalloc
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.models import ERPExport
from exports.reconciliation import reconcile as reconciliation
from orderflow.tenancy.models import Organization
from tests.exports.reconciliation.differences import (
    overdue,
    reconcile,
    run_of,
)


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
