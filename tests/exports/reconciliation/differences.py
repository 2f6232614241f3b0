"""What can differ between database, dropzone and copies, made one at a time; and asking what does."""

import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management import CommandError, call_command
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller
from exports.decisions import give_up
from exports.decisions.in_doubt import mark as mark_undecided
from exports.models import AckFile, ERPExport, ExportEvent, Lane
from exports.reconciliation.findings import Kind, Repair
from exports.reconciliation.run import Run
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry

LONG_AGO = time.time() - 2 * 24 * 3600
UNKNOWN = f"sales_order_{uuid4()}_20261123T100000Z_0123abcd.json"
ACK = '{"status": "ACKED", "erp_order_id": "SO-1"}'


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


def run_of(connection: ERPConnection, *repairs: Repair) -> Run:
    now = timezone.now()
    return Run(connection=connection, since=now - timedelta(days=1), until=now, repairs=frozenset(repairs))


# What can differ, one at a time: each gives the finding's file and the export that it is about.
Differ = Callable[[ERPExport, Path, Path], tuple[str, bool]]


def arrived(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    unrecorded(export)
    return f"in/{export.filename}", True


def in_doubt(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    unrecorded(export)
    (place / "in" / export.filename).unlink()
    return export.staged_path, True


def undecided(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    unrecorded(export)
    mark_undecided({export.pk: "The connector gave no result."}, 0)
    return f"in/{export.filename}", True


def missing(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    overdue(export)
    (place / "in" / export.filename).unlink()
    return f"in/{export.filename}", True


def failed_but_there(export: ERPExport, place: Path, storage: Path) -> tuple[str, bool]:
    give_up.give_up(export, actor="ops", reason="no answer")
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
    put(place / "acks" / f"ack_{export.filename}", ACK)
    ack_poller.poll(export.connection_id)
    ERPExport.objects.filter(pk=export.pk).update(settled_at=timezone.now() - timedelta(days=2))
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
    undecided: (Kind.UNDECIDED, None),
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
