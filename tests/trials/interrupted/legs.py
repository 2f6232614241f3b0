"""The legs of a trial about workers that are paused or cut off: each with a database, place, lease and timeout."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from tests.bench.bench import ROOT
from tests.bench.results import Bar, Result, Table, at_least, exactly
from tests.servers.postgres import postgres
from tests.servers.redis import redis
from tests.trials.runner import Torture

LOCAL = "local"
ENDS_WITHIN_S = 7000
# Most of a leg is waiting for leases.
AT_ONCE = 4
TOLD_AT_MOST = 20


class Disturbance(StrEnum):
    PAUSE = "pauses"
    SPLIT = "partitions"
    DATABASE_SPLIT = "partitions from the database"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """`orders` are pushed in as many portions as there are disturbances, `times`."""

    place: str
    disturbance: Disturbance
    lease_s: float
    timeout_s: int
    edits: bool
    orders: int
    times: int
    on_servers: bool

    @property
    def database(self) -> str:
        return "PostgreSQL, Redis" if self.on_servers else "SQLite, embedded broker"


@dataclass(frozen=True, kw_only=True)
class End:
    """What a leg came to, in words for each order.

    `while_held` counts the disturbances while a lane was held, `taken_over` those in which another worker took the
    lane; `late` are bytes that arrived after a partition.
    """

    orders: int
    times: int
    while_held: int
    taken_over: int
    late: int
    lost: Sequence[str]
    damaged: Sequence[str]
    twice: Sequence[str]
    contradicted: Sequence[str]


def run_legs(torture: Torture, legs: Sequence[Leg]) -> list[tuple[Leg, End]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [
            pool.submit(_run, leg, torture.folder / f"leg-{number}", torture.seed + number)
            for number, leg in enumerate(legs)
        ]
        return [(leg, run.result()) for leg, run in zip(legs, runs, strict=True)]


def _run(leg: Leg, folder: Path, seed: int) -> End:
    """In a process of its own, which has the leg's database in its settings."""
    folder.mkdir()
    with _services(leg) as urls:
        environment = {
            **os.environ,
            **urls,
            "DATA_DIR": str(folder / "data"),
            "DROPZONE_ROOT": str(folder / "dropzones"),
            "LEASE_S": str(leg.lease_s),
        }
        command = [
            sys.executable,
            "-m",
            "tests.trials.interrupted.leg",
            json.dumps(asdict(leg)),
            str(folder),
            str(seed),
        ]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=ENDS_WITHIN_S)
    return End(**json.loads((folder / "end.json").read_text()))


@contextmanager
def _services(leg: Leg) -> Iterator[Mapping[str, str]]:
    with ExitStack() as stack:
        if leg.on_servers:
            yield {"DATABASE_URL": stack.enter_context(postgres()), "REDIS_URL": stack.enter_context(redis())}
        else:
            yield {"DATABASE_URL": "", "REDIS_URL": ""}


def result(name: str, ends: Sequence[tuple[Leg, End]], *, at_work: int, taken_over: int, told: str) -> Result:
    bars = _bars(name, ends, at_work, taken_over)
    return Result(told=told, tables=[_table(ends), *_findings(ends)], bars=[*bars])


def _bars(name: str, ends: Sequence[tuple[Leg, End]], at_work: int, taken_over: int) -> Iterator[Bar]:
    """`at_work` and `taken_over`: how often at least a lane must have been held and taken over, for the trial to show
    anything."""
    yield exactly(f"{name}: lost", 0, sum(len(end.lost) for _, end in ends), "orders")
    yield exactly(f"{name}: empty or damaged", 0, sum(len(end.damaged) for _, end in ends), "orders")
    yield exactly(f"{name}: delivered twice", 0, sum(len(end.twice) for _, end in ends), "orders")
    yield exactly(f"{name}: another state than the ERP's", 0, sum(len(end.contradicted) for _, end in ends), "exports")
    yield at_least(f"{name}: while a lane was held", at_work, sum(end.while_held for _, end in ends), "times")
    if taken_over:
        yield at_least(f"{name}: with a successor", taken_over, sum(end.taken_over for _, end in ends), "times")


def _table(ends: Sequence[tuple[Leg, End]]) -> Table:
    columns = (
        "where",
        "database",
        "lease",
        "timeout_s",
        "edits",
        "orders",
        "times",
        "at work",
        "taken over",
        "late bytes",
        "harmed",
    )
    rows = [
        (
            f"{leg.place}, {leg.disturbance}",
            leg.database,
            f"{leg.lease_s:g} s",
            str(leg.timeout_s),
            "yes" if leg.edits else "no",
            f"{end.orders:,}",
            str(end.times),
            str(end.while_held),
            str(end.taken_over),
            f"{end.late:,}",
            str(len({*end.lost, *end.damaged, *end.twice, *end.contradicted})),
        )
        for leg, end in ends
    ]
    return Table(title="Legs", columns=columns, rows=rows)


def _findings(ends: Sequence[tuple[Leg, End]]) -> list[Table]:
    lines = [
        (f"{leg.place}, {leg.database}: {kind}", text)
        for leg, end in ends
        for kind, texts in {
            "lost": end.lost,
            "damaged": end.damaged,
            "twice": end.twice,
            "another state": end.contradicted,
        }.items()
        for text in texts
    ]
    shown = lines[:TOLD_AT_MOST]
    return [Table(title=f"{len(shown)} of {len(lines)} findings", columns=("", ""), rows=shown)] if lines else []
