"""The end of a recovery: this database's history is the one that counts, and the lanes are free."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max

from connectors.models import ERPConnection
from exports.lanes import dispatch
from exports.models import ERPExport, Lane
from exports.models.installation import Installation, JournalMark
from exports.models.status import ExportStatus
from exports.rollback import peers
from exports.rollback.entries import Mark
from exports.webhooks.models import WebhookEndpoint

# More than any lane, webhook or connection was counted up in a history that is lost.
TOKENS, REVISIONS = 2**40, 1000


@transaction.atomic
def adopt(marks: Sequence[Mark]) -> None:
    """From now on the database knows these journal entries, and counts on from them."""
    JournalMark.objects.bulk_create(
        (JournalMark(number=mark.number, stamp=mark.stamp) for mark in marks), ignore_conflicts=True, batch_size=1000
    )
    highest = JournalMark.objects.aggregate(highest=Max("number"))["highest"] or 0
    Installation.objects.filter(pk=Installation.KEY, counter__lt=highest).update(counter=highest)
    # A lane that was lost would begin to count anew.
    used = ERPExport.objects.order_by().values_list("connection", flat=True).distinct()
    lanes = (Lane(connection_id=pk, kind=kind) for pk in used for kind in Lane.Kind)
    Lane.objects.bulk_create(lanes, ignore_conflicts=True, batch_size=1000)
    # Names of temporary files and sessions that are kept open carry them: none of the lost history's comes again.
    Lane.objects.update(token=F("token") + TOKENS, leased_until=None, awake_since=None, wake_missed=False, passed=0)
    WebhookEndpoint.objects.update(token=F("token") + TOKENS)
    ERPConnection.objects.update(revision=F("revision") + REVISIONS)


@transaction.atomic
def release() -> None:
    Installation.objects.filter(pk=Installation.KEY).update(held_since=None, held_because="")
    transaction.on_commit(_wake, robust=True)


def adopt_identity(row: Installation) -> list[str]:
    """A backup from before the database kept a journal outside continues the one that lies there. Gives the names of
    the journals when there are several, and only a person can tell which."""
    others = peers.of_others(row) if row.counter == 0 else []
    if len(others) == 1:
        row.uuid = UUID(hex=others[0])
        Installation.objects.filter(pk=row.pk).update(uuid=row.uuid)
    return others if len(others) > 1 else []


def _wake() -> None:
    waiting = ERPExport.objects.filter(status=ExportStatus.PENDING, undecided_since=None).order_by()
    for connection_id in waiting.values_list("connection", flat=True).distinct():
        dispatch.wake(connection_id)
