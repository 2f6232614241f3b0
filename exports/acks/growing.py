"""Acknowledgement files that cannot be read: whether one may still be growing, is reported, or is put aside.

People are notified soon, after a second look. A file is moved only after it has stayed the same for a whole
`ACK_POLL_INTERVAL_S`, because a move takes it from an ERP that has created it and writes it later.
"""

from datetime import datetime, timedelta

from django.conf import settings

from connectors.ports import AckEntry
from exports.models import AckFile, Verdict
from orderflow.admin.formatting import local_time

# How long after the first look at a file that cannot be read yet the second one is due.
SECOND_LOOK_S = 20.0
# Left where they are.
STAYS = (Verdict.INCOMPLETE, Verdict.UNREAD)


def is_as_before(row: AckFile, entry: AckEntry) -> bool:
    return (row.size, row.modified_at) == (entry.size, entry.modified_at)


def is_settled(row: AckFile, now: datetime) -> bool:
    """Whether a file that is as before has been so for long enough to be moved."""
    return row.seen_at + _moved_after() <= now


def verdict(begun: AckFile | None, entry: AckEntry, now: datetime) -> Verdict:
    """On a file that cannot be read. `begun` is its row of earlier polls, whose `seen_at` is when one first found it
    as it is."""
    if begun is None or not is_as_before(begun, entry):
        return Verdict.INCOMPLETE
    if is_settled(begun, now):
        return Verdict.MALFORMED
    is_reported = begun.verdict == Verdict.UNREAD or begun.seen_at + timedelta(seconds=SECOND_LOOK_S) <= now
    return Verdict.UNREAD if is_reported else Verdict.INCOMPLETE


def reason(problem: str, begun: AckFile | None, found: Verdict) -> str:
    """For people: the `problem`, and when a file that is reported is going to be moved."""
    if begun is None or found != Verdict.UNREAD:
        return problem[:500]
    until = local_time(begun.seen_at + _moved_after())
    return (
        f"{problem[:300]} It has not changed since it was found. If it stays so, it is moved to error/ after {until}."
    )


def _moved_after() -> timedelta:
    return timedelta(seconds=settings.ACK_POLL_INTERVAL_S)
