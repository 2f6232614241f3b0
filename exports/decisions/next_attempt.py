"""When a waiting export is attempted next: its own time and what its connection allows."""

from datetime import datetime

from django.utils import timezone
from django.utils.timesince import timeuntil

from connectors.models import ERPConnection
from exports.decisions import withdraw
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.admin.formatting import local_time


def planned_at(export: ERPExport) -> datetime | None:
    """Of a PENDING export: while its connection is paused, the later of both times. None where no time in the future
    is known: it goes as soon as it can."""
    if export.status != ExportStatus.PENDING or obstacle(export):
        return None
    times = [at for at in (export.next_attempt_at, export.connection.paused_until) if at and at > timezone.now()]
    return max(times, default=None)


def obstacle(export: ERPExport) -> str:
    """What has to happen before a PENDING export is attempted at all; empty if nothing has."""
    connection = export.connection
    if export.undecided_since:
        return "when someone has decided"
    if connection.status == ERPConnection.Status.DISABLED:
        return "when the connection is enabled"
    return "when the connection is released" if connection.blocked_at else ""


def shown(export: ERPExport, *, all_held: bool) -> str:
    """For a column."""
    if export.status != ExportStatus.PENDING:
        return "-"
    held = "when deliveries are released" if all_held else ""
    at = planned_at(export)
    return obstacle(export) or held or (local_time(at) if at else "as soon as a worker is free")


def _way_out(export: ERPExport) -> str:
    if withdraw.may_be_withdrawn(export):
        return " If that will not happen, withdraw it and send the order over another connection."
    if withdraw.may_be_stopped(export):
        return " If that will not happen, stop sending it and decide: an earlier attempt may have delivered it."
    return ""


def sentence(export: ERPExport) -> str:
    """Of a PENDING export."""
    if blocked := obstacle(export):
        return f"It goes {blocked}.{_way_out(export)}"
    at = planned_at(export)
    if at is None:
        return "It goes as soon as its connection can be used and a worker is free."
    paused = export.connection.paused_until
    because = ", when the pause of its connection ends" if at == paused else ""
    return f"The next attempt is in {timeuntil(at)}{because}."
