"""Everything that may happen to orders, in any order, against a small account of what must be; on both databases."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.bench import ROOT
from tests.bench.results import Bar, Result, Table
from tests.servers.postgres import postgres
from tests.trials.runner import Torture

ENDS_WITHIN_S = 7000
# A power cut of the database's machine is none of the steps.
UNSYNCED = "?options=-c%20synchronous_commit%3Doff"


def run(torture: Torture) -> Result:
    count = torture.size(10_000, 20)
    with ExitStack() as stack:
        urls = {"SQLite": "", "PostgreSQL": stack.enter_context(postgres()) + UNSYNCED}
        started = {name: _start(torture.folder / name, url, count, torture.seed) for name, url in urls.items()}
        for process in started.values():
            stack.callback(_stop, process)
        outcomes = {name: _outcome(process) for name, process in started.items()}
    return Result(
        told=f"Each of {count:,} sequences a database takes up to 16 steps from these rules and then has everything go "
        "right for a while. A kill is one in the process: from its step on, none of the worker's statements and file "
        "operations is let through.",
        tables=[_counts(outcomes)],
        bars=[bar for name, outcome in outcomes.items() for bar in _bars(name, outcome, count)],
    )


def _start(folder: Path, url: str, count: int, seed: int) -> "subprocess.Popen[str]":
    folder.mkdir()
    environment = {"DATABASE_URL": url, "DATA_DIR": str(folder), "CELERY_BROKER_URL": "memory://"}
    command = [sys.executable, "-m", "tests.system.model", "--sequences", str(count), "--seed", str(seed)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True)


def _outcome(process: "subprocess.Popen[str]") -> dict[str, Any]:
    written, _ = process.communicate(timeout=ENDS_WITHIN_S)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}.")
    outcome: dict[str, Any] = json.loads(written)
    for illegal in outcome["illegal"]:
        sys.stderr.write(f"{illegal}\n")
    return outcome


def _stop(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def _counts(outcomes: Mapping[str, Mapping[str, Any]]) -> Table:
    rules = sorted({rule for outcome in outcomes.values() for rule in outcome["counts"]})
    rows = [(rule, *(f"{outcome['counts'].get(rule, 0):,}" for outcome in outcomes.values())) for rule in rules]
    return Table(title="How often each rule came to anything", columns=("rule", *outcomes), rows=rows)


def _bars(name: str, outcome: Mapping[str, Any], count: int) -> list[Bar]:
    illegal, settled = len(outcome["illegal"]), outcome["settled"]
    return [
        Bar(figure=f"illegal states, {name}", bar="0", value=str(illegal), met=not illegal),
        Bar(figure=f"sequences settled, {name}", bar=f"{count:,}", value=f"{settled:,}", met=settled >= count),
    ]
