"""The end of an export that waits for an answer which will not come."""

from django.db import transaction

from exports.decisions import ending
from exports.decisions.ending import Ending
from exports.models import ERPExport, EventKind
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus, PushRefused
from orderflow.orders.status import OrderStatus

GIVEN_UP = Ending(
    cause=Cause.GIVEN_UP,
    kind=EventKind.GIVEN_UP,
    deed="give up export",
    source=ExportStatus.SENT,
    order_source=OrderStatus.PUSHED,
)


@transaction.atomic
def give_up(export: ERPExport, *, actor: str, reason: str) -> ERPExport:
    """End a SENT export whose answer never came; the order can be retried then. Raises `PushRefused`."""
    message = f"Given up by {actor}: {reason}"[:500]
    if not ending.end(ERPExport.objects.all(), export, GIVEN_UP, actor=actor, message=message):
        raise PushRefused("not_sent", f"Export {export} is {export.status}; only a SENT export can be given up.")
    export.refresh_from_db()
    return export
