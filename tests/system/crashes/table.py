"""What a death at each step must leave behind, and so what the next process has to make of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Flag, StrEnum, auto

from connectors.failpoints import Failpoint

F = Failpoint


class Left(Flag):
    """What a death left of one order on its way, or of the answer to it; joined where either may be found."""

    NOT_PUSHED = auto()
    WAITING = auto()
    # A file that nothing may rely on: uploaded anew.
    WRITTEN = auto()
    # Complete under its temporary name: renamed, not uploaded again.
    JOURNALED = auto()
    # Under its final name, or taken: not touched any more.
    PUBLISHED = auto()
    SENT = auto()
    # Under its final name without a witness: written anew.
    IN_PLACE = auto()

    UNREAD = auto()
    # Its effect is there: not applied again, moved.
    ENTERED = auto()
    MOVED = auto()


class Job(StrEnum):
    """What the process does when it dies: with three orders, in batches of two."""

    PUSH = "push"
    DRAIN = "drain"
    DRAIN_ONE_TURN = "drain for one turn"
    DRAIN_IN_LINE = "drain while another lane has the only place"
    DRAIN_IN_PLACE = "drain without temporary names"
    DRAIN_DAMAGED = "drain what lost bytes since an earlier death"
    DRAIN_ONE_REFUSED = "drain with an order that cannot be rendered"
    DRAIN_NO_FOLDER = "drain into a folder that is missing"
    DRAIN_NO_SERVER = "drain to a server that does not listen"
    STORE_COPIES = "store missing copies"
    POLL = "poll"


class ERP(StrEnum):
    PATIENT = "takes its orders when all is over"
    QUICK = "takes every order the moment it appears"
    ANSWERING = "answers at once too, and the answer is read before the next delivery"
    REPEATING = "answers once more after the death"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A death at `point` for the `times`th time in `job`; for a step of recovery, `after` an earlier death. `left` is
    what must be found of the three orders, as they were pushed."""

    point: Failpoint
    left: tuple[Left, Left, Left]
    job: Job = Job.DRAIN
    times: int = 1
    after: Failpoint | None = None

    def __str__(self) -> str:
        times = f":{self.times}" if self.times > 1 else ""
        after = f" after {self.after}" if self.after else ""
        return f"{self.job}, {self.point}{times}{after}"

    @property
    def erps(self) -> Sequence[ERP]:
        if self.job == Job.POLL:
            return ERP.PATIENT, ERP.REPEATING
        if self.job != Job.DRAIN:
            return (ERP.PATIENT,)
        if any(left & (Left.PUBLISHED | Left.SENT) for left in self.left):
            return ERP.PATIENT, ERP.QUICK, ERP.ANSWERING
        return ERP.PATIENT, ERP.QUICK

    def happens_at(self, server: str) -> bool:
        """Files are written in two ways; a folder has no port that nobody listens at."""
        ways = {point.partition("-")[0] for point in (self.point, self.after) if point} & {"local", "sftp"}
        if self.job == Job.DRAIN_NO_SERVER:
            ways = {"sftp"}
        return ways <= {"local" if server == "local" else "sftp"}


def _waiting(*points: Failpoint) -> Iterator[Row]:
    for point in points:
        yield Row(point=point, left=(Left.WAITING, Left.WAITING, Left.WAITING))


def _unread(*points: Failpoint) -> Iterator[Row]:
    for point in points:
        yield Row(point=point, job=Job.POLL, left=(Left.UNREAD, Left.UNREAD, Left.UNREAD))


# A server may answer for the second file of a batch before it does for the first.
_PERHAPS_WRITTEN = Left.WRITTEN | Left.WAITING
_PERHAPS_PUBLISHED = Left.PUBLISHED | Left.JOURNALED
_PERHAPS_MOVED = Left.MOVED | Left.ENTERED

TABLE = (
    Row(point=F.PUSH_WRITTEN, job=Job.PUSH, times=2, left=(Left.WAITING, Left.NOT_PUSHED, Left.NOT_PUSHED)),
    Row(point=F.PUSH_COMMITTED, job=Job.PUSH, times=2, left=(Left.WAITING, Left.WAITING, Left.NOT_PUSHED)),
    Row(point=F.WAKE_UP_NOTED, job=Job.PUSH, left=(Left.WAITING, Left.NOT_PUSHED, Left.NOT_PUSHED)),
    *_waiting(F.LANE_CLAIMED, F.BATCH_READ, F.RENDERED, F.DROPZONE_OPEN),
    Row(point=F.LOCAL_FILE_CREATED, left=(Left.WRITTEN, Left.WAITING, Left.WAITING)),
    Row(point=F.LOCAL_FILE_WRITTEN, left=(Left.WRITTEN, Left.WAITING, Left.WAITING)),
    Row(point=F.SFTP_FILE_CREATED, left=(_PERHAPS_WRITTEN, _PERHAPS_WRITTEN, Left.WAITING)),
    Row(point=F.SFTP_FILE_WRITTEN, left=(_PERHAPS_WRITTEN, _PERHAPS_WRITTEN, Left.WAITING)),
    Row(point=F.STAGED, left=(Left.WRITTEN, Left.WRITTEN, Left.WAITING)),
    Row(point=F.JOURNAL_WRITTEN, left=(Left.WRITTEN, Left.WRITTEN, Left.WAITING)),
    Row(point=F.JOURNAL_COMMITTED, left=(Left.JOURNALED, Left.JOURNALED, Left.WAITING)),
    Row(point=F.JOURNALED, left=(Left.JOURNALED, Left.JOURNALED, Left.WAITING)),
    Row(point=F.JOURNALED, times=2, left=(Left.SENT, Left.SENT, Left.JOURNALED)),
    Row(point=F.LOCAL_FILE_RENAMED, left=(Left.PUBLISHED, Left.JOURNALED, Left.WAITING)),
    Row(point=F.SFTP_FILE_RENAMED, left=(_PERHAPS_PUBLISHED, _PERHAPS_PUBLISHED, Left.WAITING)),
    Row(point=F.PUBLISHED, left=(Left.PUBLISHED, Left.PUBLISHED, Left.WAITING)),
    Row(point=F.PUBLISHED, after=F.JOURNALED, left=(Left.PUBLISHED, Left.PUBLISHED, Left.WAITING)),
    Row(point=F.LOOKED, after=F.JOURNALED, left=(Left.JOURNALED, Left.JOURNALED, Left.WAITING)),
    Row(point=F.LOOKED, after=F.PUBLISHED, left=(Left.PUBLISHED, Left.PUBLISHED, Left.WAITING)),
    Row(
        point=F.JOURNAL_DISCARDED,
        job=Job.DRAIN_DAMAGED,
        after=F.JOURNALED,
        left=(Left.WRITTEN, Left.WRITTEN, Left.WAITING),
    ),
    Row(point=F.CLEARED, after=F.PUBLISHED, left=(Left.PUBLISHED, Left.PUBLISHED, Left.WAITING)),
    Row(point=F.WRITTEN_IN_PLACE, job=Job.DRAIN_IN_PLACE, left=(Left.IN_PLACE, Left.IN_PLACE, Left.WAITING)),
    Row(point=F.SENT_WRITTEN, left=(Left.PUBLISHED, Left.PUBLISHED, Left.WAITING)),
    Row(point=F.SENT_RECORDED, left=(Left.SENT, Left.SENT, Left.WAITING)),
    Row(point=F.FAILED_WRITTEN, job=Job.DRAIN_ONE_REFUSED, left=(Left.WAITING, Left.SENT, Left.WAITING)),
    Row(point=F.FAILURE_COUNTED, job=Job.DRAIN_NO_SERVER, left=(Left.WAITING, Left.WAITING, Left.WAITING)),
    Row(point=F.BLOCKED, job=Job.DRAIN_NO_FOLDER, left=(Left.WAITING, Left.WAITING, Left.WAITING)),
    Row(point=F.LANE_DRAINED, left=(Left.SENT, Left.SENT, Left.SENT)),
    Row(point=F.LANE_RELEASED, left=(Left.SENT, Left.SENT, Left.SENT)),
    Row(point=F.LANE_RELEASED, job=Job.DRAIN_IN_LINE, left=(Left.WAITING, Left.WAITING, Left.WAITING)),
    Row(point=F.LANE_CALLED, job=Job.DRAIN_IN_LINE, left=(Left.WAITING, Left.WAITING, Left.WAITING)),
    Row(point=F.TURN_ENDED, job=Job.DRAIN_ONE_TURN, left=(Left.SENT, Left.SENT, Left.WAITING)),
    Row(point=F.COPY_STORED, job=Job.STORE_COPIES, times=2, left=(Left.SENT, Left.SENT, Left.SENT)),
    *_unread(F.POLL_CLAIMED, F.ANSWERS_LISTED, F.ORPHANS_NOTED, F.ANSWERS_READ, F.LEDGER_WRITTEN),
    Row(point=F.LEDGER_ENTERED, job=Job.POLL, left=(Left.ENTERED, Left.ENTERED, Left.ENTERED)),
    Row(point=F.ARCHIVE_MADE, job=Job.POLL, left=(Left.ENTERED, Left.ENTERED, Left.ENTERED)),
    Row(point=F.LOCAL_FILE_RENAMED, job=Job.POLL, left=(_PERHAPS_MOVED, _PERHAPS_MOVED, _PERHAPS_MOVED)),
    Row(point=F.SFTP_FILE_RENAMED, job=Job.POLL, left=(_PERHAPS_MOVED, _PERHAPS_MOVED, _PERHAPS_MOVED)),
    Row(point=F.ANSWERS_MOVED, job=Job.POLL, left=(Left.MOVED, Left.MOVED, Left.MOVED)),
    Row(point=F.MOVES_NOTED, job=Job.POLL, left=(Left.MOVED, Left.MOVED, Left.MOVED)),
    Row(point=F.LANE_RELEASED, job=Job.POLL, left=(Left.MOVED, Left.MOVED, Left.MOVED)),
)
