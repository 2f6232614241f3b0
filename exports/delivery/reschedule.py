"""When a connection may be used again, what has waited for it goes at once."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from exports.lanes import dispatch
from exports.models import ERPExport, EventKind, ExportEvent, Lane, event_log
from exports.models.event_log import Event
from exports.models.status import ExportStatus


def put_forward(*, connection_id: UUID, actor: str, cause: str, tested: bool, **_: Any) -> None:
    """Hears `connectors.connections.health.freed`, in the transaction of the change."""
    if tested:
        # Not before the commit: a worker locks its lane first and the connection second.
        lanes = Lane.objects.filter(connection=connection_id)
        transaction.on_commit(lambda: lanes.update(suspect=False), robust=True)
    pending = ERPExport.objects.filter(connection=connection_id, status=ExportStatus.PENDING, undecided_since=None)
    told_to_wait = Exists(ExportEvent.objects.filter(export=OuterRef("pk"), kind=EventKind.BLOCKED))
    waiting = pending.filter(Q(next_attempt_at__isnull=False) | told_to_wait)
    # In one order for all, as wherever exports are locked.
    ids = list(waiting.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    pending.filter(next_attempt_at__isnull=False).update(next_attempt_at=None)
    now = timezone.now()
    event_log.note(Event(pk, EventKind.RELEASED.value, now, cause, actor=actor) for pk in ids)
    if pending.exists():
        transaction.on_commit(lambda: dispatch.wake(connection_id), robust=True)
