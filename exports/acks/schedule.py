"""Which connections to ask for answers now: often while one is awaited, rarely otherwise.

A file that cannot be read yet may still be growing, so only a second look can report it. That look is due
`growing.SECOND_LOOK_S` after the first instead of a whole `ACK_POLL_INTERVAL_S`, so that people are notified within two
minutes; a later look moves the file. In the worst case with the default settings, from when a damaged file appears:

    60 s  `ACK_POLL_INTERVAL_S`: a poll has just listed the folder
     5 s  "poll-due" of `CELERY_BEAT_SCHEDULE`, which looks for connections that are due
    20 s  `growing.SECOND_LOOK_S`
     5 s  "poll-due" again
    10 s  "watch", which opens the incident and sends the e-mail

These are 100 s; 20 s are left for the two polls and the mail server.
"""

from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from connectors.models import ERPConnection
from exports.acks import unread as unread_acks
from exports.acks.growing import SECOND_LOOK_S
from exports.models import AckFile, ERPExport, Lane, Verdict
from exports.models.status import ExportStatus
from orderflow.db.clock import from_now


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
    regular = (Q(awaiting__isnull=False) & ~Exists(recently)) | (active & ~Exists(lately))
    just_now = asked.filter(last_run_at__gt=from_now(-SECOND_LOOK_S))
    due = rows.filter(regular | (Exists(_unfinished()) & ~Exists(just_now)))
    return list(due.values_list("pk", flat=True))


def _unfinished() -> QuerySet[AckFile]:
    """Files of a connection that could not be read when a poll first found them as they are, and that no poll has
    looked at again since `SECOND_LOOK_S` have passed. After a regular interval no poll is due on their account."""
    young = unread_acks.still_there().filter(verdict=Verdict.INCOMPLETE, connection=OuterRef("pk"))
    oldest, newest = from_now(-settings.ACK_POLL_INTERVAL_S), from_now(-SECOND_LOOK_S)
    return young.filter(seen_at__gt=oldest, seen_at__lte=newest)
