"""What a batch of answers does to its exports and to the orders behind them: decided one by one, written at once."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from connectors.ports import Ack, AckOutcome
from connectors.text.sanitize import tame
from exports.models import ERPExport, EventKind, Verdict, event_lines, event_log
from exports.models.event_log import Event
from exports.models.failure_cause import Cause
from exports.models.status import LIVE, ExportStatus
from exports.webhooks import outbox
from orderflow.fields.identifiers import cleaned
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus

NO_REASON = "The ERP gave no reason."

Move = tuple[ExportStatus, ExportStatus]

# Where the order stands while its export stands there.
ORDERS = {ExportStatus.PENDING: OrderStatus.PUSHING, ExportStatus.SENT: OrderStatus.PUSHED}


@dataclass(kw_only=True, slots=True)
class Answered:
    """An export, locked, as answers find it; `status` goes on with each of them. `superseded_by` is a file name."""

    pk: UUID
    status: ExportStatus
    draft_order_id: UUID
    superseded_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settled:
    """`text` is the ERP's order id, or its reason."""

    export: Answered
    text: str
    error_code: str = ""


@dataclass(kw_only=True, slots=True)
class Effects:
    """On exports that were read and locked in the transaction that ends with `write`."""

    now: datetime
    _settled: dict[Move, list[_Settled]] = field(default_factory=lambda: defaultdict(list))
    _events: list[Event] = field(default_factory=list)

    def apply(self, export: Answered, ack: Ack, file_name: str) -> tuple[Verdict, str]:
        """The verdict, and the reason for it in words. The first answer stands; a later one never undoes it."""
        target = ExportStatus.ACKED if ack.outcome is AckOutcome.ACKED else ExportStatus.FAILED
        if export.superseded_by:
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
        for (source, target), settled in self._settled.items():
            write: Callable[..., None] = _accept if target == ExportStatus.ACKED else _refuse
            write(settled, source, self.now)
            if source == ExportStatus.PENDING:
                _note_sending(settled, self.now)
        event_log.note(self._events)
        event_lines.steps("ACKED", self._told(ExportStatus.ACKED))
        event_lines.steps("REJECTED", self._told(ExportStatus.FAILED))
        outbox.announce([each.export.pk for settled in self._settled.values() for each in settled])

    def _told(self, target: ExportStatus) -> dict[UUID, str]:
        """What the log says of those that went there, by export id."""
        settled = [each for move, found in self._settled.items() if move[1] == target for each in found]
        return {each.export.pk: f"{each.error_code} {each.text}".strip() for each in settled}

    def _settle(self, export: Answered, ack: Ack, target: ExportStatus, file_name: str) -> None:
        if target == ExportStatus.ACKED:
            settled = _Settled(export=export, text=cleaned(tame(ack.erp_order_id or ""))[:120])
            self._note(export, EventKind.ACKED, ack, file_name, "")
        else:
            reason = tame(ack.message or "") or NO_REASON
            settled = _Settled(export=export, text=reason, error_code=cleaned(tame(ack.error_code or ""))[:60])
            self._note(export, EventKind.FAILED, ack, file_name, reason)
        self._settled[export.status, target].append(settled)
        export.status = target

    def _note(self, export: Answered, kind: EventKind, ack: Ack, file_name: str, message: str) -> None:
        detail = {"file": file_name, "erp_order_id": ack.erp_order_id, "error_code": ack.error_code}
        if ack.processed_at:
            detail["processed_at"] = ack.processed_at.isoformat()
        self._events.append(Event(export.pk, kind.value, self.now, message[:500], detail))


def _note_sending(settled: Sequence[_Settled], now: datetime) -> None:
    """Whoever sent them may have died before he could write it down; their copies are made by this."""
    rows = ERPExport.objects.filter(pk__any_of=[each.export.pk for each in settled], sent_at=None)
    rows.exclude(document_sha256="").update(sent_at=now)


def _accept(settled: Sequence[_Settled], source: ExportStatus, now: datetime) -> None:
    exports, orders, numbers = _columns(settled)
    own = {"erp_order_id": numbers}
    _end(exports, source, ExportStatus.ACKED, own, now, error_message="")
    DraftOrder.objects.set_each(orders, own, updated_at=now)
    if ORDERS[source] != OrderStatus.PUSHED:
        DraftOrder.objects.filter(pk__any_of=orders).move(ORDERS[source], OrderStatus.PUSHED)


def _refuse(settled: Sequence[_Settled], source: ExportStatus, now: datetime) -> None:
    exports, orders, reasons = _columns(settled)
    own = {"error_message": reasons}
    codes = {"error_code": [each.error_code for each in settled]}
    _end(exports, source, ExportStatus.FAILED, own | codes, now, cause=Cause.ERP_REFUSED)
    DraftOrder.objects.move_each(orders, ORDERS[source], OrderStatus.ERROR, own=own, updated_at=now)


def _columns(settled: Sequence[_Settled]) -> tuple[list[UUID], list[UUID], list[str]]:
    exports = [each.export for each in settled]
    return [e.pk for e in exports], [e.draft_order_id for e in exports], [each.text for each in settled]


def _end(
    exports: Sequence[UUID],
    source: ExportStatus,
    target: ExportStatus,
    own: dict[str, list[str]],
    now: datetime,
    **fields: str,
) -> None:
    ERPExport.objects.move_locked(
        exports,
        source,
        target,
        own=own,
        settled_at=now,
        answer_due_at=None,
        next_attempt_at=None,
        undecided_since=None,
        **fields,
    )
