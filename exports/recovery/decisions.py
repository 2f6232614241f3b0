"""What a person decides of an export that is held, or the dropzone shows: it was sent, or it was not."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from connectors.exceptions import ConnectorError
from connectors.registry import registry
from exports.decisions import in_doubt
from exports.decisions.resolve import ack_due
from exports.documents.sales_orders import attempt_of, order_lines, sales_order
from exports.lanes import dispatch
from exports.models import ERPExport, EventKind, ExportEvent
from exports.models.status import ExportStatus
from exports.webhooks import outbox
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record


class NotHeld(Exception):
    """The message names the export and its state."""


def held(filename: str) -> ERPExport:
    """Raises `NotHeld`."""
    rows = ERPExport.objects.select_related("connection__organization").filter(filename=filename)
    export = rows.filter(status=ExportStatus.PENDING).filter(undecided_since__isnull=False).first()
    if export is None:
        found = rows.first()
        raise NotHeld(f"{filename} is {found.status} and not held." if found else f"There is no export {filename}.")
    return export


@transaction.atomic
def was_sent(export: ERPExport, *, actor: str, why: str, path: str = "") -> None:
    """PENDING -> SENT without a delivery."""
    now = timezone.now()
    rows = ERPExport.objects.filter(pk=export.pk)
    _enter_document(export)
    sent = {
        "sent_at": now,
        "answer_due_at": ack_due(export.connection, now),
        "next_attempt_at": None,
        **in_doubt.RESOLVED,
    }
    if not rows.move(ExportStatus.PENDING, ExportStatus.SENT, **sent, dropzone_path=path):
        raise NotHeld(f"{export.filename} was settled in the meantime.")
    DraftOrder.objects.filter(pk=export.draft_order_id).move(
        OrderStatus.PUSHING, OrderStatus.PUSHED, updated_at=now, error_message=""
    )
    note(export.pk, EventKind.SENT, why, actor=actor)
    outbox.announce([export.pk])
    record(export.organization_id, actor, "mark export as sent", export)


@transaction.atomic
def was_not_sent(export: ERPExport, *, actor: str, why: str) -> None:
    """Let it go with the next delivery. One that was journaled goes by what lies at the dropzone."""
    rows = ERPExport.objects.filter(pk=export.pk, status=ExportStatus.PENDING)
    held = rows.filter(undecided_since__isnull=False)
    if not held.update(**in_doubt.RESOLVED, handed_over_at=None, next_attempt_at=None):
        raise NotHeld(f"{export.filename} is not held any more.")
    note(export.pk, EventKind.DECIDED, why, actor=actor)
    record(export.organization_id, actor, "let held export go", export)
    transaction.on_commit(lambda: dispatch.wake(export.connection_id), robust=True)


def superseded(export: ERPExport, *, by: str) -> None:
    """A retry is only possible when the one before has failed; how is lost."""
    text = f"Export {by} superseded it; how it failed was lost."
    now = timezone.now()
    ended = {"settled_at": now, "next_attempt_at": None, **in_doubt.RESOLVED, "error_message": text}
    ERPExport.objects.filter(pk=export.pk).move(export.status, ExportStatus.FAILED, **ended)
    note(export.pk, EventKind.RECOVERED, text, actor="recover")


def note(export_id: UUID, kind: EventKind, message: str, *, actor: str) -> None:
    ExportEvent.objects.create(export_id=export_id, kind=kind, actor=actor, message=message[:500], at=timezone.now())


def _enter_document(export: ERPExport) -> None:
    """What the order renders to, where the journal is lost too: it is compared by that, and archived."""
    try:
        connector = registry.create(export.connection.connector_type)
        lines = order_lines([export])[export.draft_order_id]
        document = connector.render(sales_order(export.draft_order, lines), attempt_of(export))
    except ConnectorError:
        return
    rows = ERPExport.objects.filter(pk=export.pk, document_sha256="")
    rows.update(document_sha256=document.sha256, document_size=len(document.content))
