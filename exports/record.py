"""What became of a batch, written down: exports, their orders and their history in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connectors.ports import ExportResult
from exports.models import ERPExport, EventKind, ExportEvent
from exports.retry_schedule import next_attempt
from exports.transitions import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.transitions import OrderStatus

Rows = Mapping[UUID, ERPExport]


@transaction.atomic
def sent(results: Sequence[ExportResult], rows: Rows, answer_due: timedelta | None) -> None:
    """PENDING -> SENT; an export that its answer overtook keeps its state and gets its paths all the same."""
    if not results:
        return
    now = timezone.now()
    for result in results:
        export, found = rows[result.export_id], result.connector_metadata
        export.dropzone_path = found["dropzone_path"]
        export.document_sha256, export.document_size = found["sha256"], found["size"]
    exports = [rows[result.export_id] for result in results]
    ERPExport.objects.bulk_update(exports, ["dropzone_path", "document_sha256", "document_size"])
    pending = _pending(exports)
    ERPExport.objects.filter(pk__in=[e.pk for e in pending]).move(
        ExportStatus.PENDING,
        ExportStatus.SENT,
        sent_at=now,
        answer_due_at=now + answer_due if answer_due else None,
        tries=F("tries") + 1,
        next_attempt_at=None,
        error_message="",
    )
    _move_orders(pending, OrderStatus.PUSHED, now)
    _note(
        pending,
        EventKind.SENT,
        now,
        lambda e: {"path": e.dropzone_path, "bytes": e.document_size, "sha256": e.document_sha256},
    )


@transaction.atomic
def failed(results: Sequence[ExportResult], rows: Rows) -> None:
    """Planned again by the schedule, or PENDING -> FAILED when trying again cannot help."""
    now = timezone.now()
    messages = {result.export_id: (result.error_message or "")[:500] for result in results}
    retryable = {result.export_id for result in results if result.retryable}
    for export in _pending([rows[result.export_id] for result in results]):
        # What the journal holds by now, not what the batch began with, says whether the order is in doubt.
        again = next_attempt(export.tries + 1, now, in_doubt=bool(export.staged_path))
        message = messages[export.pk]
        if export.pk in retryable and again:
            _plan(export, message, again, now)
        else:
            _fail(export, message, now)


def blocked(exports: Sequence[ERPExport], reason: str) -> None:
    """They stay PENDING, and go when somebody has mended the connection."""
    _note(exports, EventKind.BLOCKED, timezone.now(), message=reason)


def _plan(export: ERPExport, message: str, again: datetime, now: datetime) -> None:
    ERPExport.objects.filter(pk=export.pk, status=ExportStatus.PENDING).update(
        tries=F("tries") + 1, next_attempt_at=again, error_message=message
    )
    detail = {"try": export.tries + 1, "next_attempt_at": again.isoformat()}
    _note([export], EventKind.RETRY, now, lambda _: detail, message=message)


def _fail(export: ERPExport, message: str, now: datetime) -> None:
    ERPExport.objects.filter(pk=export.pk).move(
        ExportStatus.PENDING,
        ExportStatus.FAILED,
        tries=F("tries") + 1,
        next_attempt_at=None,
        settled_at=now,
        error_message=message,
    )
    _move_orders([export], OrderStatus.ERROR, now, error_message=message)
    _note([export], EventKind.FAILED, now, lambda _: {"try": export.tries + 1}, message=message)


def _pending(exports: Sequence[ERPExport]) -> list[ERPExport]:
    """Those that nobody settled meanwhile, read anew and locked until the transaction ends."""
    rows = ERPExport.objects.select_for_update().filter(pk__in=[e.pk for e in exports], status=ExportStatus.PENDING)
    return list(rows)


def _move_orders(exports: Sequence[ERPExport], target: OrderStatus, now: datetime, **fields: Any) -> None:
    orders = DraftOrder.objects.filter(pk__in=[export.draft_order_id for export in exports])
    orders.move(OrderStatus.PUSHING, target, updated_at=now, **fields)


def _note(
    exports: Sequence[ERPExport],
    kind: EventKind,
    now: datetime,
    detail: Callable[[ERPExport], dict[str, Any]] = lambda _: {},
    message: str = "",
) -> None:
    ExportEvent.objects.bulk_create(
        ExportEvent(export_id=export.pk, kind=kind, at=now, message=message[:500], detail=detail(export))
        for export in exports
    )
