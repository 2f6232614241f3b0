"""The end of an export that waits for a connection that will not work again.

What no attempt has journaled cannot have reached the ERP: it is withdrawn, and its order can be sent another way. What
an attempt has journaled may have: its attempts are stopped, and a person decides what became of it.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from connectors.models import ERPConnection
from exports.decisions import ending, in_doubt
from exports.decisions.ending import Ending
from exports.models import ERPExport, EventKind, ExportEvent, Lane, event_lines, installation
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus, PushRefused
from exports.rollback import guard
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record

# An attempt commits one of these columns before its file can appear (`exports/delivery/journal.py`).
UNTOUCHED: dict[str, Any] = {
    "staged_path": "",
    "unwitnessed_since": None,
    "handed_over_at": None,
    "undecided_since": None,
}

WITHDRAWN = Ending(
    cause=Cause.WITHDRAWN,
    kind=EventKind.WITHDRAWN,
    deed="withdraw export",
    source=ExportStatus.PENDING,
    order_source=OrderStatus.PUSHING,
)

# Of the reason that a person enters, what leaves room for the rest of the message.
REASON_LENGTH = 240


def may_be_withdrawn(export: ERPExport) -> bool:
    """Whether no attempt can have brought it to the ERP."""
    return export.status == ExportStatus.PENDING and all(getattr(export, f) == v for f, v in UNTOUCHED.items())


def touched(exports: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """Those of `exports` that an attempt may have brought to the ERP."""
    return exports.exclude(status=ExportStatus.PENDING, **UNTOUCHED)


def may_be_stopped(export: ERPExport) -> bool:
    """Whether an attempt may have brought it to the ERP, and none will follow while its connection stays as it is."""
    waits = export.status == ExportStatus.PENDING and not export.undecided_since
    return waits and not may_be_withdrawn(export) and is_out_of_use(export.connection)


def is_out_of_use(connection: ERPConnection) -> bool:
    """Until a person changes that."""
    return connection.status != ERPConnection.Status.ACTIVE or connection.blocked_at is not None


def withdraw(export: ERPExport, *, actor: str, reason: str) -> ERPExport:
    """End a PENDING export that no attempt has journaled; its order is in ERROR then and can be retried.

    A worker that has the export commits its journal for PENDING rows only, before it publishes anything. So either that
    commit comes first, and nothing is withdrawn, or it fails, and nothing is published. The caller calls `look_first`
    before any transaction. Raises `PushRefused`.
    """
    message = f"Withdrawn by {actor}: {reason}"[:500]
    with transaction.atomic():
        _require_present(export)
        is_ended = ending.end(ERPExport.objects.filter(**UNTOUCHED), export, WITHDRAWN, actor=actor, message=message)
    export.refresh_from_db()
    if not is_ended:
        raise PushRefused("not_withdrawable", _why_not(export))
    return export


def stop(export: ERPExport, *, actor: str, reason: str) -> ERPExport:
    """Put a PENDING export in doubt that an attempt has journaled and whose connection is out of use.

    No worker may be delivering over the connection, or the export could still arrive while a person looks for it in
    the ERP; and while the connection is out of use, none begins (`LaneJournal`). Raises `PushRefused`.
    """
    message = f"Stopped by {actor}: {reason[:REASON_LENGTH]}. An earlier attempt may have delivered the order."
    now = timezone.now()
    with transaction.atomic():
        _require_at_rest(export)
        held = in_doubt.columns(message)
        rows = ERPExport.objects.filter(pk=export.pk, status=ExportStatus.PENDING, undecided_since=None)
        if not rows.exclude(**UNTOUCHED).update(**held, handed_over_at=None):
            export.refresh_from_db()
            raise PushRefused("not_withdrawable", _why_not_stopped(export))
        _note_stopped(export, actor, held["error_message"], now)
    export.refresh_from_db()
    return export


def look_first() -> None:
    """Before exports are withdrawn, once for all of them and without any lock: lists storage outside the database, to
    find out whether that went back in time and has forgotten what was journaled. `withdraw` uses what it found."""
    guard.look()


def _require_present(export: ERPExport) -> None:
    """As `look_first` or a worker found it. Raises `PushRefused`."""
    if why := installation.why_held():
        raise PushRefused("not_withdrawable", f"Export {export} is not withdrawn. {why}")


def _note_stopped(export: ERPExport, actor: str, message: str, now: datetime) -> None:
    ExportEvent.objects.create(export=export, kind=EventKind.UNDECIDED, actor=actor, message=message, at=now)
    record(export.organization_id, actor, "stop export", export)
    event_lines.step("IN DOUBT", export, message)


def _require_at_rest(export: ERPExport) -> None:
    """In the caller's transaction, until whose end it stays so. Raises `PushRefused`."""
    # Without waiting: a worker locks these rows before the export's, and the caller may have that one already.
    lanes = Lane.objects.filter(connection=export.connection_id, kind=Lane.Kind.DELIVERY)
    connections = ERPConnection.objects.filter(pk=export.connection_id)
    lane = lanes.select_for_update(skip_locked=True, no_key=True).first()
    connection = connections.select_for_update(skip_locked=True, no_key=True).first()
    is_held = lanes.filter(leased_until__gte=Now()).exists() if lane else lanes.exists()
    if connection is None or is_held:
        text = f"A worker is delivering over connection {export.connection.name!r} right now. Try again in a minute."
        raise PushRefused("still_running", text)
    if not is_out_of_use(connection):
        raise PushRefused(
            "not_withdrawable",
            f"An attempt has begun to send export {export}, so the ERP may have it, and connection {connection.name!r} "
            "is in use: the next attempt finds out. Disable the connection first if no attempt can succeed.",
        )


def _why_not(export: ERPExport) -> str:
    if export.status != ExportStatus.PENDING:
        return f"Export {export} is {export.status}; only a PENDING export can be withdrawn."
    if export.undecided_since:
        return f"Export {export} is in doubt. Check in the ERP, then mark it as delivered or not delivered."
    return (
        f"An attempt has begun to send export {export}, so the ERP may have it, and it is not withdrawn. If no attempt "
        "can succeed, have the connection disabled, then use Stop sending."
    )


def _why_not_stopped(export: ERPExport) -> str:
    if may_be_withdrawn(export):
        return f"No attempt has begun to send export {export}, so nothing of it can be in the ERP. Withdraw it."
    return _why_not(export)
