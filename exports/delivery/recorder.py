"""What became of a batch, written down: exports, their orders and their history in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connectors.failpoints import Failpoint, reached
from connectors.ports import ExportResult
from exports.delivery.retry_policy import next_attempt
from exports.models import ERPExport, EventKind, event_lines, event_log
from exports.models.event_log import Event
from exports.models.status import ExportStatus
from exports.webhooks import outbox
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus

Rows = Mapping[UUID, ERPExport]

# The export's columns that tell of the file at the dropzone.
DOCUMENT = ("dropzone_path", "document_sha256", "document_size", "storage_key")


@transaction.atomic
def sent(
    results: Sequence[ExportResult],
    rows: Rows,
    answer_due: timedelta | None,
    stored: Collection[str],
    took_ms: int,
) -> None:
    """PENDING -> SENT; an export that its answer overtook keeps its state and gets its paths all the same. `stored` has
    the keys of the copies that are complete; the batch `took_ms`."""
    if not results:
        return
    now = timezone.now()
    pending, overtaken = _locked([rows[result.export_id] for result in results])
    for result in results:
        _enter_document(rows[result.export_id], result, stored)
    for exports, columns in _by_document(pending):
        ERPExport.objects.move_locked(
            _keys(exports),
            ExportStatus.PENDING,
            ExportStatus.SENT,
            own=_columns(exports, *columns, "tries"),
            sent_at=now,
            answer_due_at=now + answer_due if answer_due else None,
            next_attempt_at=None,
            undecided_since=None,
            handed_over_at=None,
            error_message="",
        )
    for exports, columns in _by_document(overtaken):
        ERPExport.objects.set_each(_keys(exports), _columns(exports, *columns))
    DraftOrder.objects.filter(pk__in=[export.draft_order_id for export in pending]).move(
        OrderStatus.PUSHING, OrderStatus.PUSHED, updated_at=now
    )
    _note_sent(pending, now, took_ms)
    outbox.announce(_keys(pending))
    reached(Failpoint.SENT_WRITTEN)


def _by_document(exports: Sequence[ERPExport]) -> list[tuple[list[ERPExport], tuple[str, ...]]]:
    """With the columns that are known: a connector may have sent what it can render no more, and no column that is
    written row by row takes None."""
    known = [export for export in exports if export.document_size is not None]
    unknown = [export for export in exports if export.document_size is None]
    return [(known, DOCUMENT), (unknown, ("dropzone_path", "storage_key"))]


def _enter_document(export: ERPExport, result: ExportResult, stored: Collection[str]) -> None:
    export.dropzone_path = result.dropzone_path
    if result.document:
        export.document_sha256, export.document_size = result.document.sha256, result.document.size
    export.tries += 1
    if result.storage_key and result.storage_key in stored:
        export.storage_key = result.storage_key


def _note_sent(exports: Sequence[ERPExport], now: datetime, took_ms: int) -> None:
    event_log.note(
        Event(
            e.pk,
            EventKind.SENT.value,
            now,
            detail={
                "try": e.tries,
                "duration_ms": took_ms,
                "path": e.dropzone_path,
                "bytes": e.document_size,
                "sha256": e.document_sha256,
            },
        )
        for e in exports
    )
    event_lines.steps("SENT", {e.pk: f"Attempt {e.tries}, {e.document_size} bytes, {e.dropzone_path}" for e in exports})


@transaction.atomic
def failed(results: Sequence[ExportResult], rows: Rows, took_ms: int) -> None:
    """Planned again by the schedule, or PENDING -> FAILED when trying again cannot help."""
    if not results:
        return
    # By the clock that tells when a try is due: a worker's own may be wrong.
    now = ERPExport.objects.filter(pk=results[0].export_id).values_list(Now(), flat=True).get()
    pending, _ = _locked([rows[result.export_id] for result in results])
    outcomes = {result.export_id: result for result in results}
    for export in pending:
        outcome = outcomes[export.pk]
        export.tries, export.error_message = export.tries + 1, (outcome.error_message or "")[:500]
        export.cause = outcome.cause
        # What the journal holds by now, not what the batch began with, says whether the order is in doubt.
        again = next_attempt(export.tries, now, in_doubt=bool(export.staged_path))
        export.next_attempt_at = again if outcome.retryable else None
    _plan([export for export in pending if export.next_attempt_at], now, took_ms)
    _fail([export for export in pending if not export.next_attempt_at], now, took_ms)
    reached(Failpoint.FAILED_WRITTEN)


@transaction.atomic
def blocked(exports: Sequence[ERPExport], reason: str) -> None:
    """They stay PENDING, and go when somebody has mended the connection."""
    now = timezone.now()
    ERPExport.objects.filter(pk__any_of=_keys(exports)).exclude(handed_over_at=None).update(handed_over_at=None)
    event_log.note(Event(export.pk, EventKind.BLOCKED.value, now, reason[:500]) for export in exports)


def _locked(exports: Sequence[ERPExport]) -> tuple[list[ERPExport], list[ERPExport]]:
    """Those that are PENDING until the transaction ends, and those that somebody settled meanwhile; read anew."""
    rows = ERPExport.objects.locked([export.pk for export in exports])
    now = {pk: state for pk, *state in rows.values_list("pk", "status", "staged_path")}
    for export in exports:
        export.status, export.staged_path = now[export.pk]
    pending = [export for export in exports if export.status == ExportStatus.PENDING]
    return pending, [export for export in exports if export.status != ExportStatus.PENDING]


def _plan(exports: Sequence[ERPExport], now: datetime, took_ms: int) -> None:
    own = _columns(exports, "tries", "next_attempt_at", "error_message")
    ERPExport.objects.set_each(_keys(exports), own, within=ExportStatus.PENDING, handed_over_at=None)
    details = [
        {
            "try": e.tries,
            "duration_ms": took_ms,
            "next_attempt_at": e.next_attempt_at and e.next_attempt_at.isoformat(),
        }
        for e in exports
    ]
    _note(exports, EventKind.RETRY, now, details)
    event_lines.steps(
        "RETRY",
        {
            e.pk: f"Attempt {e.tries} failed, next at {e.next_attempt_at:%Y-%m-%dT%H:%M:%SZ}: {e.error_message}"
            for e in exports
        },
    )


def _fail(exports: Sequence[ERPExport], now: datetime, took_ms: int) -> None:
    own = _columns(exports, "error_message")
    ERPExport.objects.move_locked(
        _keys(exports),
        ExportStatus.PENDING,
        ExportStatus.FAILED,
        own=own | _columns(exports, "tries", "cause"),
        next_attempt_at=None,
        undecided_since=None,
        handed_over_at=None,
        settled_at=now,
    )
    orders = [export.draft_order_id for export in exports]
    DraftOrder.objects.move_each(orders, OrderStatus.PUSHING, OrderStatus.ERROR, own=own, updated_at=now)
    _note(exports, EventKind.FAILED, now, [{"try": export.tries, "duration_ms": took_ms} for export in exports])
    event_lines.steps("FAILED", {e.pk: f"Attempt {e.tries}, {e.cause}: {e.error_message}" for e in exports})
    outbox.announce(_keys(exports))


def _note(exports: Sequence[ERPExport], kind: EventKind, now: datetime, details: Sequence[dict[str, Any]]) -> None:
    event_log.note(
        Event(export.pk, kind.value, now, export.error_message, detail)
        for export, detail in zip(exports, details, strict=True)
    )


def _keys(exports: Sequence[ERPExport]) -> list[UUID]:
    return [export.pk for export in exports]


def _columns(exports: Sequence[ERPExport], *names: str) -> dict[str, list[Any]]:
    return {name: [getattr(export, name) for export in exports] for name in names}
