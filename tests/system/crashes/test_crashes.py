"""F1: a process is killed at a step, the next one finds out what it left, and every order arrives once.

Each step at one server and with one ERP in turn, others on PostgreSQL than on SQLite; the trial `failpoints` plays each
with all of them. `INNER_LOOP` runs with `make test`, all others with `make test-all`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database

from connectors.failpoints import Failpoint
from tests.servers.sftp import every
from tests.servers.sftp.sftp_server import SFTPServer
from tests.system.crashes.scene import LOCAL, Case
from tests.system.crashes.stage import Stage
from tests.system.crashes.table import ERP, TABLE, Job, Left, Row

TURN = 3 if "postgresql" in settings.DATABASES["default"]["ENGINE"] else 0

# One step of each part of the way there and back.
INNER_LOOP = {
    (Job.PUSH, Failpoint.PUSH_COMMITTED),
    (Job.DRAIN, Failpoint.LANE_CLAIMED),
    (Job.DRAIN, Failpoint.STAGED),
    (Job.DRAIN, Failpoint.JOURNAL_COMMITTED),
    (Job.DRAIN, Failpoint.LOCAL_FILE_RENAMED),
    (Job.DRAIN, Failpoint.SENT_RECORDED),
    (Job.DRAIN_IN_LINE, Failpoint.LANE_CALLED),
    (Job.STORE_COPIES, Failpoint.COPY_STORED),
    (Job.POLL, Failpoint.LEDGER_WRITTEN),
    (Job.POLL, Failpoint.LEDGER_ENTERED),
}


def _cases() -> Iterator[Case]:
    for turn, row in enumerate(TABLE, start=TURN):
        servers = [name for name in (LOCAL, *every.NAMES) if row.happens_at(name)]
        for step, erp in enumerate(_erps(row, turn)):
            yield Case(row=row, server=servers[(turn + step) % len(servers)], erp=erp)


def _erps(row: Row, turn: int) -> Iterator[ERP]:
    """One in turn; and always the quick one where it may take what nobody knows to be sent."""
    others = [erp for erp in row.erps if erp != ERP.QUICK]
    yield others[turn % len(others)]
    if any(Left.PUBLISHED in left for left in row.left):
        yield ERP.QUICK


def _level(case: Case) -> Sequence[pytest.MarkDecorator]:
    return () if (case.row.job, case.row.point) in INNER_LOOP else [pytest.mark.full]


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case), marks=_level(case)) for case in _cases()])
def test_a_death_is_made_good(
    case: Case, transactional_db: None, tmp_path: Path, shared_server: Callable[[str], SFTPServer]
) -> None:
    """F1, F8, F20, A1, A3."""
    servers = {case.server: None if case.server == LOCAL else shared_server(case.server)}
    assert Stage(folder=tmp_path, database=database.settings_dict, servers=servers).play(case) == []
