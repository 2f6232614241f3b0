"""F30, F31: a worker stops at a step until its lease has ended, its successor continues, the worker resumes.

Each step in a folder or at OpenSSH, in turn, others on PostgreSQL than on SQLite; with another edit of the connection
and another moment of the successor's from step to step. The trial `paused_steps` plays
each combination at every server. They run with `make test-all`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database

from connectors.failpoints import Failpoint
from tests.servers.sftp.sftp_server import SFTPServer
from tests.system.crashes.pauses.cases import PauseCase, slice_of_cases
from tests.system.crashes.pauses.stage import play
from tests.system.crashes.scene import LOCAL
from tests.system.crashes.stage import Stage

CASES = [*slice_of_cases(turn=3 if "postgresql" in settings.DATABASES["default"]["ENGINE"] else 0)]


def test_a_worker_is_stopped_at_each_step() -> None:
    assert {case.case.row.point for case in CASES} == set(Failpoint)


@pytest.mark.full
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_worker_that_was_stopped_does_no_harm(
    case: PauseCase, transactional_db: None, tmp_path: Path, shared_server: Callable[[str], SFTPServer]
) -> None:
    """F30, F31."""
    if database.vendor == "postgresql" and case.case.row.point == Failpoint.PUSH_WRITTEN:
        pytest.skip("The stopped push has the order's lock; a second one is told that the first is still running.")
    name = case.case.server
    servers = {name: None if name == LOCAL else shared_server(name)}
    assert play(Stage(folder=tmp_path, database=database.settings_dict, servers=servers), case) == []
