"""Which connections to ask for answers now: often while one is awaited, rarely otherwise."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef, Q, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from connectors.models import ERPConnection
from exports.models import ERPExport, Lane
from exports.transitions import ExportStatus


def due_for_polling() -> list[UUID]:
    """A disabled connection is still asked while it awaits answers to what went out before."""
    exports = ERPExport.objects.filter(connection=OuterRef("pk"))
    # As a value: for an EXISTS, PostgreSQL may read all the exports that await an answer, of every connection.
    sent = exports.filter(status=ExportStatus.SENT, answer_due_at__isnull=False)
    awaiting = Subquery(sent.order_by().values("pk")[:1])
    rows = ERPConnection.objects.filter(blocked_at=None).annotate(awaiting=awaiting)
    asked = Lane.objects.filter(connection=OuterRef("pk"), kind=Lane.Kind.ACKS)
    recently = asked.filter(last_run_at__gt=_ago(settings.ACK_POLL_INTERVAL_S))
    lately = asked.filter(last_run_at__gt=_ago(settings.ACK_POLL_IDLE_INTERVAL_S))
    active = Q(status=ERPConnection.Status.ACTIVE) & Exists(exports)
    due = rows.filter((Q(awaiting__isnull=False) & ~Exists(recently)) | (active & ~Exists(lately)))
    return list(due.values_list("pk", flat=True))


def _ago(seconds: float) -> Combinable:
    return ExpressionWrapper(Now() - timedelta(seconds=seconds), output_field=DateTimeField())
