"""`python -m tests.trials [names…] [--database sqlite] [--quick] [--seed N]`: break what can break, count what became
of the orders, and keep it in docs/. Ends with 1 when a bar is not met, with 77 when a server is not installed."""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import report
from tests.bench.bench import ROOT
from tests.bench.report import Report, restored
from tests.bench.results import Bar, Result
from tests.trials.faults import DATABASES, NAMES, RUNS, kept_as
from tests.trials.trial import MISSING

DOCS = ROOT / "docs" / "measurements"
RELIABILITY = Report(
    page=DOCS / "reliability.md", kept=DOCS / "reliability.json", names=[kept_as(*run) for run in RUNS]
)
ENDS_WITHIN_S = 7200
STOPS_WITHIN_S = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.trials", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of: {', '.join(NAMES)}; none: all")
    parser.add_argument("--quick", action="store_true", help="a small form of each, to see that it holds; not kept")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what chance is drawn from")
    parser.add_argument(
        "--database",
        choices=DATABASES,
        help="only trials on this database with its broker, Redis or the embedded one; none: on each that they run on",
    )
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"there is no trial {unknown[0]}; there are {', '.join(NAMES)}")
    # Asked to end, it ends its trial too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = {}
    for name, database in _chosen(options):
        started, kept = time.monotonic(), kept_as(name, database)
        results[kept] = _run(name, database, quick=options.quick, seed=options.seed)
        report.show(kept, results[kept], time.monotonic() - started)
        if not options.quick:
            again = f'make torture ARGS="{name} --database {database} --seed {options.seed}"'
            RELIABILITY.keep(kept, results[kept], again=again)
    report.show_bars(results)
    sys.exit(not all(bar.met for result in results.values() for bar in result.bars))


def _chosen(options: argparse.Namespace) -> list[tuple[str, str]]:
    return [
        (name, database)
        for name, database in RUNS
        if name in (options.names or NAMES) and database == (options.database or database)
    ]


def _run(name: str, database: str, *, quick: bool, seed: int) -> Result:
    """In a process of its own, since every trial has its own settings. One that breaks is one that did not hold."""
    with tempfile.TemporaryDirectory(prefix="orderflow-torture-") as folder:
        written = Path(folder) / "result.json"
        command = [sys.executable, "-m", "tests.trials.trial", name, str(written), "--seed", str(seed)]
        code = _code([*command, "--database", database, *["--quick"] * quick])
        if code == MISSING:
            sys.exit(MISSING)
        if code == 0:
            return restored(json.loads(written.read_text()))
    told = f"It broke off with seed {seed}: what went wrong stands above."
    return Result(told=told, tables=[], bars=[Bar(figure=name, bar="a result", value="none", met=False)])


def _code(command: list[str]) -> int | None:
    """None when the trial had to be stopped."""
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        return process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
