"""What an answer does to its export and to the order behind it."""

from datetime import datetime
from typing import Any

from connectors.hostile_text import tame
from connectors.ports import Ack, AckOutcome
from exports.models import ERPExport, EventKind, ExportEvent, Verdict
from exports.transitions import LIVE, ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.transitions import OrderStatus

NO_REASON = "The ERP gave no reason."


def apply(export: ERPExport, ack: Ack, file_name: str, now: datetime) -> tuple[Verdict, str]:
    """The verdict, and the reason for it in words. The first answer stands; a later one never undoes it."""
    message = tame(ack.message or "") or NO_REASON
    if hasattr(export, "superseded_by"):
        reason = f"Export {export.superseded_by} has taken this one's place; it is not touched."
        _note(export, EventKind.LATE, ack, file_name=file_name, message=reason, now=now)
        return Verdict.LATE, reason
    target = ExportStatus.ACKED if ack.outcome is AckOutcome.ACKED else ExportStatus.FAILED
    if _settle(export, ack, target, message, now):
        kind = EventKind.ACKED if target == ExportStatus.ACKED else EventKind.FAILED
        _note(export, kind, ack, file_name=file_name, message="" if target == ExportStatus.ACKED else message, now=now)
        return Verdict.MATCHED, ""
    export.refresh_from_db(fields=["status"])
    if export.status == target:
        return Verdict.DUPLICATE, f"The export is {export.status} already."
    reason = f"The export is {export.status}, and this answer says {target}. The first stands; ask the ERP's owner."
    _note(export, EventKind.CONFLICT, ack, file_name=file_name, message=reason, now=now)
    return Verdict.CONFLICT, reason


def _settle(export: ERPExport, ack: Ack, target: ExportStatus, message: str, now: datetime) -> bool:
    fields: dict[str, Any] = {"settled_at": now, "answer_due_at": None, "next_attempt_at": None}
    if target == ExportStatus.ACKED:
        fields |= {"erp_order_id": tame(ack.erp_order_id or ""), "error_message": ""}
    else:
        fields |= {"error_code": tame(ack.error_code or "")[:60], "error_message": message}
    rows = ERPExport.objects.filter(pk=export.pk)
    if not any(rows.move(source, target, **fields) for source in LIVE):
        return False
    orders = DraftOrder.objects.filter(pk=export.draft_order_id)
    if target == ExportStatus.ACKED:
        orders.move(OrderStatus.PUSHING, OrderStatus.PUSHED)
        orders.update(erp_order_id=fields["erp_order_id"], updated_at=now)
    else:
        for source in (OrderStatus.PUSHING, OrderStatus.PUSHED):
            orders.move(source, OrderStatus.ERROR, error_message=message, updated_at=now)
    return True


def _note(export: ERPExport, kind: EventKind, ack: Ack, *, file_name: str, message: str, now: datetime) -> None:
    detail = {"file": file_name, "erp_order_id": ack.erp_order_id, "error_code": ack.error_code}
    if ack.processed_at:
        detail["processed_at"] = ack.processed_at.isoformat()
    ExportEvent.objects.create(export=export, kind=kind, at=now, message=message[:500], detail=detail)
