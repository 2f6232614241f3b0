"""A worker paused past its lease at every step of a push, a delivery and a poll, at every server, on both databases."""

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection
from psycopg import sql

from connectors.failpoints import Failpoint
from tests.bench.results import Bar, Result, Table
from tests.system.crashes.pauses.cases import PauseCase, all_cases
from tests.system.crashes.pauses.stage import play
from tests.system.crashes.stage import Stage, processes
from tests.trials.runner import Torture
from tests.trials.stages import SERVERS, SQLITE, stages_of

# For each database. Most of a case is waiting for leases.
AT_ONCE = 2
# Another installation: or the copies of a database would look like one that goes back in time.
ANOTHER = "UPDATE exports_installation SET uuid = '{}'"

# Each case with what is wrong with how it ended.
Ends = Sequence[tuple[PauseCase, Sequence[str]]]


def run(torture: Torture) -> Result:
    """Each step at each server on each database, with an edit, a moment of the successor's and an ERP that are drawn;
    a quick run plays some, each on one database."""
    dice = random.Random(torture.seed)
    with stages_of(torture) as stages, ProcessPoolExecutor(AT_ONCE * len(stages), processes) as pool:
        cases = {name: _drawn(dice, name)[: 3 if torture.quick else None] for name in stages}
        runs = [
            (name, pool.submit(_play, _of_its_own(stage, turn), cases[name][turn::AT_ONCE]))
            for name, stage in stages.items()
            for turn in range(AT_ONCE)
        ]
        ends: dict[str, list[tuple[PauseCase, Sequence[str]]]] = defaultdict(list)
        for name, run in runs:
            ends[name] += run.result()
    return _result(ends)


def _drawn(dice: random.Random, database: str) -> list[PauseCase]:
    """In any order. One of the possible cases for each row and server."""
    possible = defaultdict(list)
    for case in all_cases(SERVERS):
        # There, a stopped push has the order's lock: a second one is told that the first is still running.
        if database == SQLITE or case.case.row.point != Failpoint.PUSH_WRITTEN:
            possible[str(case.case.row), case.case.server].append(case)
    cases = [dice.choice(each) for each in possible.values()]
    dice.shuffle(cases)
    return cases


def _of_its_own(stage: Stage, turn: int) -> Stage:
    """A stopped worker may hold locks, and a successor works on all that is due: each process has its own database."""
    name, copy = str(stage.database["NAME"]), f"copy{turn}"
    if "sqlite3" in stage.database["ENGINE"]:
        stage.folder.mkdir(exist_ok=True)
        copy = str(stage.folder / copy)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [copy])
        with closing(sqlite3.connect(copy)) as database, database:
            database.execute(ANOTHER.format(uuid4().hex))
    else:
        with psycopg.connect(**_access(stage, "postgres"), autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(name)))
        with psycopg.connect(**_access(stage, copy)) as server:
            server.execute(ANOTHER.format(uuid4().hex))
    return replace(stage, folder=stage.folder / str(turn), database={**stage.database, "NAME": copy})


def _access(stage: Stage, name: str) -> dict[str, Any]:
    given = stage.database
    access = {"host": given["HOST"], "port": given["PORT"], "user": given["USER"], "password": given["PASSWORD"]}
    return {key: value for key, value in access.items() if value} | {"dbname": name}


def _play(stage: Stage, cases: Sequence[PauseCase]) -> Ends:
    return [(case, play(stage, case)) for case in cases]


def _result(ends: Mapping[str, Ends]) -> Result:
    played = [(name, case, wrongs) for name, on_database in ends.items() for case, wrongs in on_database]
    wrong = [(f"{case}, {name}", "; ".join(wrongs)) for name, case, wrongs in played if wrongs]
    tables = [_by_step([(case, wrongs) for _, case, wrongs in played])]
    if wrong:
        tables.append(Table(title="What ended otherwise", columns=("case", "what was wrong"), rows=wrong))
    steps = len({case.case.row.point for _, case, _ in played})
    return Result(
        told=f"{steps} steps at {len(SERVERS)} kinds of dropzone. A worker stops at the step until its lease has "
        "ended. Its successor has finished, or stands halfway, when the worker resumes. In between, the connection is "
        "left alone, renamed, or led to another folder or place. Each step is played at each dropzone on each "
        "database; the edit, the successor's moment and the ERP are drawn from the seed.",
        tables=tables,
        bars=[
            Bar(
                figure="pauses after which every order arrived once, complete, and was recorded",
                bar="100 %",
                value=f"{len(played) - len(wrong):,} of {len(played):,}",
                met=not wrong,
            )
        ],
    )


def _by_step(ends: Ends) -> Table:
    played = Counter((str(case.case.row), case.case.server) for case, _ in ends)
    right = Counter((str(case.case.row), case.case.server) for case, wrongs in ends if not wrongs)
    steps = sorted({str(case.case.row) for case, _ in ends})
    rows = [
        [step, *(f"{right[step, name]} of {played[step, name]}" if played[step, name] else "" for name in SERVERS)]
        for step in steps
    ]
    return Table(title="Pauses that did no harm", columns=("while, at", *SERVERS), rows=rows)
