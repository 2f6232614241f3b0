"""An export that a person ends: it is FAILED, and its order in ERROR, where it can be retried."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from exports.models import ERPExport, ERPExportQuerySet, EventKind, ExportEvent, event_lines
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from exports.webhooks import outbox
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """`kind` is that of the event in the export's history, `deed` what the audit log calls it."""

    cause: Cause
    kind: EventKind
    deed: str
    source: ExportStatus
    order_source: OrderStatus


def end(rows: ERPExportQuerySet, export: ERPExport, ending: Ending, *, actor: str, message: str) -> bool:
    """Move `export`, if it is among `rows` and in the state that `ending` starts from, with its history, its audit
    entry, its webhook messages and its line in the log. In the caller's transaction. False where it was not moved, and
    nothing is written then."""
    now = timezone.now()
    ended: dict[str, Any] = {"error_message": message, "cause": ending.cause, "settled_at": now}
    if not rows.filter(pk=export.pk).move(ending.source, ExportStatus.FAILED, next_attempt_at=None, **ended):
        return False
    DraftOrder.objects.filter(pk=export.draft_order_id).move(
        ending.order_source, OrderStatus.ERROR, updated_at=now, error_message=message
    )
    ExportEvent.objects.create(export=export, kind=ending.kind, actor=actor, message=message, at=now)
    outbox.announce([export.pk])
    event_lines.step("FAILED", export, message)
    record(export.organization_id, actor, ending.deed, export)
    return True
