"""A worker pauses past its lease, a successor continues, the worker resumes: at which step, where, and what else."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from connectors.failpoints import Failpoint
from tests.system.crashes.scene import LOCAL, Case
from tests.system.crashes.table import ERP, TABLE, Job, Row

# Steps inside a transaction: nobody can take the lane over before it ends.
UNCOMMITTED = frozenset(
    {
        Failpoint.PUSH_WRITTEN,
        Failpoint.JOURNAL_WRITTEN,
        Failpoint.SENT_WRITTEN,
        Failpoint.FAILED_WRITTEN,
        Failpoint.LEDGER_WRITTEN,
    }
)
# Jobs whose successor may be halfway through the same batch when the first worker resumes, and may have been sent
# there by an edit of the connection.
_DRAINS = frozenset({Job.DRAIN, Job.DRAIN_ONE_TURN, Job.DRAIN_DAMAGED})
_HALFWAY = (Failpoint.STAGED, Failpoint.JOURNALED)
# Whoever resumes here goes on to create files.
_BEFORE_FILES = frozenset(
    {
        Failpoint.LANE_CLAIMED,
        Failpoint.BATCH_READ,
        Failpoint.RENDERED,
        Failpoint.DROPZONE_OPEN,
        Failpoint.LOCAL_FILE_CREATED,
        Failpoint.LOCAL_FILE_WRITTEN,
    }
)


class Edit(StrEnum):
    """What becomes of the connection during the pause."""

    NONE = "no edit"
    RENAMED = "the connection renamed"
    FOLDER = "another export path"
    PLACE = "another place"


@dataclass(frozen=True, kw_only=True)
class PauseCase:
    """`halfway` is where the successor stands when the first worker resumes; None: it has finished. If it creates a
    file then, the first worker is stopped `again` until the successor has finished."""

    case: Case
    edit: Edit = Edit.NONE
    halfway: Failpoint | None = None

    @property
    def again(self) -> Failpoint | None:
        if self.halfway is None or self.case.row.point not in _BEFORE_FILES:
            return None
        return Failpoint.LOCAL_FILE_CREATED if self.case.server == LOCAL else Failpoint.SFTP_FILE_CREATED

    def __str__(self) -> str:
        return f"{self.case}, {self.edit}, the successor {self.halfway or 'finished'}"


def pause_cases(row: Row, server: str) -> Iterator[PauseCase]:
    """Every combination; an ERP that collects at once, and one that collects at the end, take turns."""
    erps = [erp for erp in row.erps if erp in _erps(row)]
    turn = 0
    for edit in _edits(row, server):
        for halfway in (None, *_HALFWAY) if row.job in _DRAINS else (None,):
            yield PauseCase(case=Case(row=row, server=server, erp=erps[turn % len(erps)]), edit=edit, halfway=halfway)
            turn += 1


def all_cases(servers: tuple[str, ...]) -> Iterator[PauseCase]:
    for row in TABLE:
        for server in filter(row.happens_at, servers):
            yield from pause_cases(row, server)


def slice_of_cases(*, turn: int = 0) -> Iterator[PauseCase]:
    """Each row in a folder or at OpenSSH, in turn, each with another edit and another moment of the successor's. Where
    the first worker could go on to create files, it does, at both."""
    for number, row in enumerate(TABLE, start=turn):
        servers = [server for server in (LOCAL, "openssh") if row.happens_at(server)]
        for server in servers if row.point in _BEFORE_FILES else [servers[number % len(servers)]]:
            cases = [*pause_cases(row, server)]
            cases = [case for case in cases if case.again] or cases
            yield cases[(5 * number) % len(cases)]


def _erps(row: Row) -> set[ERP]:
    """No ERP can answer anew under the name of an answer that is still there."""
    return {ERP.PATIENT, ERP.QUICK} if row.point in UNCOMMITTED else {ERP.PATIENT, ERP.QUICK, ERP.REPEATING}


def _edits(row: Row, server: str) -> tuple[Edit, ...]:
    if row.job in _DRAINS:
        # A folder of this machine has no other place to go to.
        return tuple(Edit) if server != LOCAL else (Edit.NONE, Edit.RENAMED, Edit.FOLDER)
    return (Edit.NONE, Edit.RENAMED) if row.job == Job.POLL else (Edit.NONE,)
