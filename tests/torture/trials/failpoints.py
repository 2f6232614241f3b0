"""A process killed at every step of a push, a delivery and a poll, at every server, on both databases."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import Any

import environ
from django.db import connection as database

from tests.bench.bench import ROOT
from tests.bench.results import Bar, Result, Table
from tests.crashes.scene import LOCAL, Case
from tests.crashes.stage import Stage, processes
from tests.crashes.table import TABLE
from tests.servers import every
from tests.servers.postgres import postgres
from tests.servers.sftp_server import SFTPServer
from tests.torture.torture import Torture

SERVERS = (LOCAL, *every.NAMES)
# Each case with what is wrong with how it ended.
Ends = Sequence[tuple[Case, Sequence[str]]]


def run(torture: Torture) -> Result:
    cases = [*_cases()]
    if torture.quick:
        cases = random.Random(torture.seed).sample(cases, 6)
    with ExitStack() as running:
        servers = {name: running.enter_context(every.start(name, torture.folder / name)) for name in every.NAMES}
        url = running.enter_context(postgres())
        stage = Stage(
            folder=torture.folder / "sqlite",
            database=database.settings_dict,
            servers={LOCAL: None} | {name: _told(server) for name, server in servers.items()},
        )
        stages = {
            "SQLite": stage,
            "PostgreSQL": replace(stage, folder=torture.folder / "postgresql", database=_migrated(url)),
        }
        # A process each: killing and being told of it is for one thread.
        with ProcessPoolExecutor(len(stages), processes) as pool:
            ends = dict(zip(stages, pool.map(_play, stages.values(), [cases] * len(stages)), strict=True))
    return _result(ends)


def _cases() -> Iterator[Case]:
    for row in TABLE:
        for server in filter(row.happens_at, SERVERS):
            yield from (Case(row=row, server=server, erp=erp) for erp in row.erps)


def _told(server: SFTPServer) -> SFTPServer:
    """What there is to know of it in another process than the one that runs it."""
    return SFTPServer(**{field.name: getattr(server, field.name) for field in fields(SFTPServer)})


def _migrated(url: str) -> Mapping[str, Any]:
    environment = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)
    return {**database.settings_dict, "OPTIONS": {}, **environ.Env.db_url_config(url)}


def _play(stage: Stage, cases: Sequence[Case]) -> Ends:
    return [(case, stage.play(case)) for case in cases]


def _result(ends: Mapping[str, Ends]) -> Result:
    played = [(name, case, wrongs) for name, on_database in ends.items() for case, wrongs in on_database]
    wrong = [(f"{case}, {name}", "; ".join(wrongs)) for name, case, wrongs in played if wrongs]
    right = len(played) - len(wrong)
    tables = [_by_step([(case, wrongs) for _, case, wrongs in played])]
    if wrong:
        tables.append(Table(title="What ended otherwise", columns=("case", "what was wrong"), rows=wrong))
    return Result(
        told=f"{len(TABLE)} deaths at {len({row.point for row in TABLE})} steps, each at every server where the step "
        f"is, on {' and on '.join(ends)}, with an ERP that takes its orders at the end and with ones that take and "
        "answer them at the worst moment. Each is followed by a fresh process once the dead one's lease has ended. A "
        "dropzone in memory ends with its process and is left out.",
        tables=tables,
        bars=[
            Bar(
                figure="cases that ended as the recovery table says",
                bar="100 %",
                value=f"{right:,} of {len(played):,}",
                met=not wrong,
            )
        ],
    )


def _by_step(ends: Ends) -> Table:
    played = Counter((str(case.row), case.server) for case, _ in ends)
    right = Counter((str(case.row), case.server) for case, wrongs in ends if not wrongs)
    steps = dict.fromkeys(str(case.row) for case, _ in ends)
    rows = [
        [step, *(f"{right[step, name]} of {played[step, name]}" if played[step, name] else "" for name in SERVERS)]
        for step in steps
    ]
    return Table(title="Deaths that were made good", columns=("while, at", *SERVERS), rows=rows)
