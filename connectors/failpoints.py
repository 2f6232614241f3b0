"""Steps at which a test kills the process, to see what the next process makes of what is left.

`FAILPOINT=journaled` in the environment arms one of them, `FAILPOINT=journaled:3` its third time. Nothing else does.
`FAILPOINT=journaled:3:pause` stops the process there instead (SIGSTOP), until it receives SIGCONT.
"""

import os
import re
import signal
from enum import StrEnum

VARIABLE = "FAILPOINT"


class Failpoint(StrEnum):
    """Each is reached in one place; tests/system/crashes/table.py has what must come of a death there."""

    PUSH_WRITTEN = "push-written"  # not committed yet
    PUSH_COMMITTED = "push-committed"
    WAKE_UP_NOTED = "wake-up-noted"  # no message sent yet

    LANE_CLAIMED = "lane-claimed"
    BATCH_READ = "batch-read"
    RENDERED = "rendered"
    DROPZONE_OPEN = "dropzone-open"
    LOCAL_FILE_CREATED = "local-file-created"
    LOCAL_FILE_WRITTEN = "local-file-written"
    SFTP_FILE_CREATED = "sftp-file-created"
    SFTP_FILE_WRITTEN = "sftp-file-written"
    STAGED = "staged"
    JOURNAL_WRITTEN = "journal-written"  # not committed yet
    JOURNAL_COMMITTED = "journal-committed"  # not outside the database yet
    JOURNALED = "journaled"
    LOCAL_FILE_RENAMED = "local-file-renamed"
    SFTP_FILE_RENAMED = "sftp-file-renamed"
    PUBLISHED = "published"
    WRITTEN_IN_PLACE = "written-in-place"
    LOOKED = "looked"  # at what an earlier try left
    JOURNAL_DISCARDED = "journal-discarded"  # for files that lost bytes since
    CLEARED = "cleared"  # of what it left beside a published file
    SENT_WRITTEN = "sent-written"  # not committed yet
    SENT_RECORDED = "sent-recorded"
    FAILED_WRITTEN = "failed-written"  # not committed yet
    FAILURE_COUNTED = "failure-counted"
    BLOCKED = "blocked"
    LANE_DRAINED = "lane-drained"
    LANE_RELEASED = "lane-released"
    LANE_CALLED = "lane-called"  # to its place in the line, no message sent yet
    TURN_ENDED = "turn-ended"  # with work left

    COPY_STORED = "copy-stored"  # by the sweep

    POLL_CLAIMED = "poll-claimed"
    ANSWERS_LISTED = "answers-listed"
    ORPHANS_NOTED = "orphans-noted"
    ANSWERS_READ = "answers-read"
    LEDGER_WRITTEN = "ledger-written"  # not committed yet
    LEDGER_ENTERED = "ledger-entered"
    ARCHIVE_MADE = "archive-made"
    ANSWERS_MOVED = "answers-moved"
    MOVES_NOTED = "moves-noted"


class _Trap:
    point: Failpoint | None = None
    times = 0
    signal = signal.SIGKILL


_trap = _Trap()


def reached(point: Failpoint) -> None:
    """Dies or stops here, if this is where a test wants it."""
    if point is _trap.point:
        _trap.times -= 1
        if not _trap.times:
            os.kill(os.getpid(), _trap.signal)


def arm(text: str) -> None:
    """`text` as in the environment; empty for none. Raises `ValueError`."""
    read = re.fullmatch(r"(?:([a-z-]+)(?::([1-9][0-9]*)(:pause)?)?)?", text)
    if not read or read[1] not in [None, *Failpoint]:
        raise ValueError(
            f"{VARIABLE} is {text!r}, but reads '<step>', '<step>:<time>' or '<step>:<time>:pause'. "
            f"The steps are {', '.join(Failpoint)}."
        )
    _trap.point, _trap.times = Failpoint(read[1]) if read[1] else None, int(read[2] or 1)
    _trap.signal = signal.SIGSTOP if read[3] else signal.SIGKILL


def armed() -> Failpoint | None:
    return _trap.point


def pauses() -> bool:
    """Whether the armed step stops the process rather than kills it."""
    return _trap.signal is signal.SIGSTOP


arm(os.environ.get(VARIABLE, ""))
