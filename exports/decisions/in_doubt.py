"""Exports in doubt for a person: the order may have arrived, and nothing automatic can establish whether it did."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from exports.models import ERPExport, EventKind, event_lines, event_log
from exports.models.event_log import Event
from exports.models.status import ExportStatus

WHAT_TO_DO = (
    "It is not sent again. Check in the ERP whether the order arrived, then mark this export as delivered or not "
    "delivered."
)
# What is left of the message's column.
REASON_LENGTH = 320


INTERRUPTED = "The worker ended while the connector had this export."


def mark_interrupted(connection_id: UUID, *, hold: Callable[[], AbstractContextManager[None]] = nullcontext) -> bool:
    """Mark those that a connector without a journal had when its worker died. True when there were any. `hold` opens
    a transaction in which only the lane's holder can write."""
    # A recovery may have marked some already: those wait for a person, and hold nothing else up.
    rows = ERPExport.objects.filter(
        connection_id=connection_id, handed_over_at__isnull=False, undecided_since__isnull=True
    )
    found = list(rows.filter(status=ExportStatus.PENDING).values_list("pk", flat=True))
    if found:
        with hold():
            mark(dict.fromkeys(found, INTERRUPTED), 0)
    return bool(found)


RESOLVED: dict[str, Any] = {"undecided_since": None, "error_message": ""}


def columns(reason: str) -> dict[str, Any]:
    """What makes a PENDING export undecided for `reason`, by column."""
    return {"undecided_since": timezone.now(), "next_attempt_at": None, "error_message": _message(reason)}


def _message(reason: str) -> str:
    return f"{reason[:REASON_LENGTH].strip()} {WHAT_TO_DO}"


@transaction.atomic
def mark(reasons: Mapping[UUID, str], took_ms: int) -> None:
    """Those of the exports that are still PENDING stay so and are never sent again by themselves; `reasons` say why,
    by export id."""
    if not reasons:
        return
    rows = ERPExport.objects.locked(reasons).filter(status=ExportStatus.PENDING, undecided_since=None)
    pending = dict(rows.values_list("pk", "tries"))
    messages = [_message(reasons[pk]) for pk in pending]
    tries = [count + 1 for count in pending.values()]
    now = timezone.now()
    own: dict[str, Sequence[object]] = {"tries": tries, "error_message": messages}
    state = {"undecided_since": now, "next_attempt_at": None, "handed_over_at": None}
    ERPExport.objects.set_each(list(pending), own, within=ExportStatus.PENDING, **state)
    details: Iterable[dict[str, int]] = ({"try": number, "duration_ms": took_ms} for number in tries)
    event_log.note(
        Event(pk, EventKind.UNDECIDED.value, now, message, detail)
        for pk, message, detail in zip(pending, messages, details, strict=True)
    )
    event_lines.steps("IN DOUBT", dict(zip(pending, messages, strict=True)))
