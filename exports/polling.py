"""Which connections to ask for answers now: often while one is awaited, rarely otherwise."""

from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Now

from connectors.models import ERPConnection
from exports.database_clock import from_now
from exports.models import ERPExport, Lane
from exports.transitions import ExportStatus


def due_for_polling() -> list[UUID]:
    """A disabled connection is still asked while it awaits answers to what went out before. One that is paused is not:
    its server is away, and whoever asks it waits."""
    sent = ERPExport.objects.filter(connection=OuterRef("pk"), status=ExportStatus.SENT, answer_due_at__isnull=False)
    # As a value: for an EXISTS, PostgreSQL may read all the exports that await an answer, of every connection.
    awaiting = Subquery(sent.order_by().values("pk")[:1])
    rows = ERPConnection.objects.filter(Q(paused_until=None) | Q(paused_until__lte=Now()), blocked_at=None)
    rows = rows.annotate(awaiting=awaiting)
    lanes = Lane.objects.filter(connection=OuterRef("pk"))
    asked = lanes.filter(kind=Lane.Kind.ACKS)
    recently = asked.filter(last_run_at__gt=from_now(-settings.ACK_POLL_INTERVAL_S))
    lately = asked.filter(last_run_at__gt=from_now(-settings.ACK_POLL_IDLE_INTERVAL_S))
    # A first push makes the lane: without it, there is nothing that could be answered.
    active = Q(status=ERPConnection.Status.ACTIVE) & Exists(lanes.filter(kind=Lane.Kind.DELIVERY))
    due = rows.filter((Q(awaiting__isnull=False) & ~Exists(recently)) | (active & ~Exists(lately)))
    return list(due.values_list("pk", flat=True))
