"""What a person decides about an export in doubt, of which nothing else can establish whether it arrived."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.ports import AckReadingConnector
from connectors.registry import registry
from exports.models import ERPExport, EventKind, ExportEvent, event_lines
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus, PushRefused
from exports.webhooks import outbox
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record

logger = logging.getLogger(__name__)

# Of a connection that cannot be read: an ack that never comes has to be noticed all the same.
ACK_WITHIN = timedelta(hours=24)


def decide(export: ERPExport, *, delivered: bool, actor: str, reason: str) -> ERPExport:
    """Make an undecided export SENT, or FAILED so that its order can be retried. Raises `PushRefused`."""
    verdict = "delivered" if delivered else "not delivered"
    message = f"Marked as {verdict} by {actor}: {reason}"[:500]
    now = timezone.now()
    answer_due = ack_due(export.connection, now) if delivered else None
    with transaction.atomic():
        if not _end(export, now, message, answer_due, delivered=delivered):
            export.refresh_from_db(fields=["status"])
            text = f"Export {export} is {export.status} and not in doubt; there is nothing to decide."
            raise PushRefused("not_undecided", text)
        ExportEvent.objects.create(export=export, kind=EventKind.DECIDED, actor=actor, message=message, at=now)
        outbox.announce([export.pk])
        event_lines.step("SENT" if delivered else "FAILED", export, message)
        record(export.organization_id, actor, f"mark export as {verdict}", export)
    export.refresh_from_db()
    return export


def _end(export: ERPExport, now: datetime, message: str, answer_due: datetime | None, *, delivered: bool) -> bool:
    """False when the export is not undecided any more. In the caller's transaction."""
    rows = ERPExport.objects.filter(pk=export.pk, undecided_since__isnull=False)
    orders = DraftOrder.objects.filter(pk=export.draft_order_id)
    ended: dict[str, Any] = {"undecided_since": None, "handed_over_at": None, "next_attempt_at": None}
    if delivered:
        sent = {"sent_at": now, "answer_due_at": answer_due, "error_message": ""}
        if not rows.move(ExportStatus.PENDING, ExportStatus.SENT, **ended, **sent):
            return False
        orders.move(OrderStatus.PUSHING, OrderStatus.PUSHED, updated_at=now)
        return True
    failed = {"settled_at": now, "error_message": message, "cause": Cause.UNDECIDED}
    if not rows.move(ExportStatus.PENDING, ExportStatus.FAILED, **ended, **failed):
        return False
    orders.move(OrderStatus.PUSHING, OrderStatus.ERROR, updated_at=now, error_message=message)
    return True


def ack_due(connection: ERPConnection, now: datetime) -> datetime | None:
    """When an acknowledgement of a file sent at `now` is overdue; None where the connection gets none."""
    try:
        connector = registry.create(connection.connector_type)
        if not isinstance(connector, AckReadingConnector):
            return None
        within = connector.answer_due(connection.runtime_config())
    except Exception as error:  # noqa: BLE001 - a third-party connector may raise anything
        logger.warning("How long the ERP behind %s may take is unknown: %s", connection, type(error).__name__)
        within = ACK_WITHIN
    return now + within if within else None
