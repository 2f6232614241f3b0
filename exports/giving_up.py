"""The end of an export that waits for an answer which will not come."""

from django.db import transaction
from django.utils import timezone

from exports import log_lines
from exports.causes import Cause
from exports.models import ERPExport, EventKind, ExportEvent
from exports.push_service import PushRefused
from exports.transitions import ExportStatus
from exports.webhooks import outbox
from orderflow.orders.models import DraftOrder
from orderflow.orders.transitions import OrderStatus
from orderflow.tenancy.models import record


def give_up(export: ERPExport, *, actor: str, reason: str) -> ERPExport:
    """End a SENT export whose answer never came; the order can be retried then. Raises `PushRefused`."""
    message = f"Given up by {actor}: {reason}"[:500]
    now = timezone.now()
    with transaction.atomic():
        rows = ERPExport.objects.filter(pk=export.pk)
        ended = {"error_message": message, "cause": Cause.GIVEN_UP, "settled_at": now}
        if not rows.move(ExportStatus.SENT, ExportStatus.FAILED, **ended):
            raise PushRefused("not_sent", f"Export {export} is {export.status}; only a SENT export can be given up.")
        DraftOrder.objects.filter(pk=export.draft_order_id).move(
            OrderStatus.PUSHED, OrderStatus.ERROR, updated_at=now, error_message=message
        )
        ExportEvent.objects.create(export=export, kind=EventKind.GIVEN_UP, actor=actor, message=message, at=now)
        outbox.announce([export.pk])
        log_lines.step("FAILED", export, message)
        record(export.organization_id, actor, "give up export", export)
    export.refresh_from_db()
    return export
