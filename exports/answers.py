"""What a batch of answers does to its exports and to the orders behind them: decided one by one, written at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.hostile_text import tame
from connectors.ports import Ack, AckOutcome
from exports.models import ERPExport, EventKind, ExportEvent, Verdict
from exports.transitions import LIVE, ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.transitions import OrderStatus

NO_REASON = "The ERP gave no reason."

Move = tuple[ExportStatus, ExportStatus]


@dataclass(kw_only=True, slots=True)
class Effects:
    """The exports are the caller's, read and locked in the transaction that ends with `write`."""

    now: datetime
    _settled: dict[Move, list[ERPExport]] = field(default_factory=lambda: defaultdict(list))
    _events: list[ExportEvent] = field(default_factory=list)

    def apply(self, export: ERPExport, ack: Ack, file_name: str) -> tuple[Verdict, str]:
        """The verdict, and the reason for it in words. The first answer stands; a later one never undoes it."""
        target = ExportStatus.ACKED if ack.outcome is AckOutcome.ACKED else ExportStatus.FAILED
        if hasattr(export, "superseded_by"):
            reason = f"Export {export.superseded_by} has taken this one's place; it is not touched."
            self._note(export, EventKind.LATE, ack, file_name, reason)
            return Verdict.LATE, reason
        if export.status in LIVE:
            self._settle(export, ack, target, file_name)
            return Verdict.MATCHED, ""
        if export.status == target:
            return Verdict.DUPLICATE, f"The export is {export.status} already."
        reason = f"The export is {export.status}, and this answer says {target}. The first stands; ask the ERP's owner."
        self._note(export, EventKind.CONFLICT, ack, file_name, reason)
        return Verdict.CONFLICT, reason

    def write(self) -> None:
        for (source, target), exports in self._settled.items():
            accepted = target == ExportStatus.ACKED
            ERPExport.objects.move_locked(
                exports,
                source,
                target,
                own=["erp_order_id" if accepted else "error_code", "error_message"],
                settled_at=self.now,
                answer_due_at=None,
                next_attempt_at=None,
            )
            (_accept_orders if accepted else _refuse_orders)(exports, self.now)
        ExportEvent.objects.bulk_create(self._events)

    def _settle(self, export: ERPExport, ack: Ack, target: ExportStatus, file_name: str) -> None:
        self._settled[ExportStatus(export.status), target].append(export)
        export.status = target
        if target == ExportStatus.ACKED:
            export.erp_order_id, export.error_message = tame(ack.erp_order_id or ""), ""
            self._note(export, EventKind.ACKED, ack, file_name, "")
        else:
            export.error_code = tame(ack.error_code or "")[:60]
            export.error_message = tame(ack.message or "") or NO_REASON
            self._note(export, EventKind.FAILED, ack, file_name, export.error_message)

    def _note(self, export: ERPExport, kind: EventKind, ack: Ack, file_name: str, message: str) -> None:
        detail = {"file": file_name, "erp_order_id": ack.erp_order_id, "error_code": ack.error_code}
        if ack.processed_at:
            detail["processed_at"] = ack.processed_at.isoformat()
        event = ExportEvent(export_id=export.pk, kind=kind, at=self.now, message=message[:500], detail=detail)
        self._events.append(event)


def _accept_orders(exports: Sequence[ERPExport], now: datetime) -> None:
    orders = [DraftOrder(pk=e.draft_order_id, erp_order_id=e.erp_order_id, updated_at=now) for e in exports]
    DraftOrder.objects.set_each(orders, own=["erp_order_id", "updated_at"])
    DraftOrder.objects.filter(pk__in=[order.pk for order in orders]).move(OrderStatus.PUSHING, OrderStatus.PUSHED)


def _refuse_orders(exports: Sequence[ERPExport], now: datetime) -> None:
    orders = [DraftOrder(pk=e.draft_order_id, error_message=e.error_message) for e in exports]
    for source in (OrderStatus.PUSHING, OrderStatus.PUSHED):
        DraftOrder.objects.move_each(orders, source, OrderStatus.ERROR, own=["error_message"], updated_at=now)
