"""Whether the acknowledgements of a connection are being read. While they are not, an overdue one says nothing about
the ERP: what keeps OrderFlow from reading has to be fixed before anybody asks whether an order arrived."""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from connectors.connection_columns import is_paused, local_time
from connectors.hostile_text import tame
from connectors.models import ERPConnection
from exports.models import ERPExport, Lane
from exports.rollback import guard


def obstacle(connection: ERPConnection) -> str:
    """Why they are not being read, in a sentence or two; empty while they are."""
    if held := guard.why_held():
        return held
    if connection.blocked_at:
        return f"The connection is blocked: {tame(connection.blocked_reason)}"
    if is_paused(connection.paused_until):
        return f"The connection is paused until {local_time(connection.paused_until)}, because its server failed."
    lane = Lane.objects.filter(connection=connection.pk, kind=Lane.Kind.ACKS).first()
    if lane and lane.last_error:
        return f"The last poll failed: {tame(lane.last_error)}"
    if lane is None or lane.last_run_at is None or lane.last_run_at < timezone.now() - _longest():
        last = f"since {local_time(lane.last_run_at)}" if lane and lane.last_run_at else "yet"
        return f"No worker has read its folder of acknowledgements {last}. Check that the workers run."
    return ""


def advice(exports: QuerySet[ERPExport]) -> str:
    """What to do about overdue `exports` of one connection whose acknowledgements are not being read; empty while they
    are."""
    connection = ERPConnection.objects.filter(pk__in=exports.order_by().values("connection")[:1]).first()
    why = obstacle(connection) if connection else ""
    if not why:
        return ""
    return (
        f"OrderFlow is not reading the acknowledgements of this connection, so the ERP may have answered. {why} "
        "Fix that first, and wait for the next poll: an order that is sent again may arrive twice."
    )


def _longest() -> timedelta:
    """How long a connection that awaits acknowledgements is not polled at most while the workers run."""
    return timedelta(seconds=3 * settings.ACK_POLL_INTERVAL_S + settings.JOB_LIMIT_S)
