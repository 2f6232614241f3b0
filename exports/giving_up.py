"""The end of an export that waits for an answer which will not come."""

from django.db import transaction

from exports import ending
from exports.causes import Cause
from exports.ending import Ending
from exports.models import ERPExport, EventKind
from exports.push_service import PushRefused
from exports.transitions import ExportStatus
from orderflow.orders.transitions import OrderStatus

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
