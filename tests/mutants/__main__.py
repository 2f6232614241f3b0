"""`python -m tests.mutants [areas…] [--only TEXT] [--jobs N]`: apply each mutant to a copy of the tree and see whether
its tests notice. Ends with 1 when one survives."""

import argparse
import os
import queue
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.mutants import trial
from tests.mutants.mutant import Mutant, areas, mutants_of
from tests.mutants.trial import Outcome

LIMIT_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="area", help=f"some of: {', '.join(areas())}; none: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="the mutants whose file or slip contains TEXT")
    parser.add_argument("--jobs", type=int, default=1, help="how many run at once, each in its own copy")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="S", help="seconds that one mutant's tests may take"
    )
    parser.add_argument("--trust-tests", action="store_true", help="do not run the tests without a mutant first")
    options = parser.parse_args()
    if unknown := sorted(set(options.areas) - set(areas())):
        parser.error(f"there is no area {unknown[0]}; there are {', '.join(areas())}")
    chosen = [m for area in options.areas or areas() for m in mutants_of(area) if options.only in f"{m.file} {m.slip}"]
    os.nice(10)
    outcomes = []
    for outcome in _outcomes([m for m in chosen if not m.equivalent], options):
        _show(outcome)
        outcomes.append(outcome)
    sys.exit(_sum_up(chosen, outcomes))


def _outcomes(mutants: Sequence[Mutant], options: argparse.Namespace) -> Iterator[Outcome]:
    """In the order of the list, each when it is there."""
    trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
    with ExitStack() as stack:
        for _ in range(options.jobs):
            tree = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orderflow-mutants-")))
            trial.copy_tree(tree)
            trees.put(tree)

        def run(mutant: Mutant) -> Outcome:
            tree = trees.get()
            try:
                return trial.try_mutant(mutant, tree, options.limit)
            finally:
                trees.put(tree)

        if not options.trust_tests:
            _require_sound(mutants, trees, options.limit)
        with ThreadPoolExecutor(options.jobs) as threads:
            yield from threads.map(run, mutants)


def _require_sound(mutants: Sequence[Mutant], trees: "queue.SimpleQueue[Path]", limit_s: float) -> None:
    """Tests that fail by themselves kill every mutant."""
    tree = trees.get()
    for postgres in (False, True):
        tests = sorted({test for mutant in mutants if mutant.postgres is postgres for test in mutant.tests})
        if not tests:
            continue
        failed, what = trial.run_tests(_paths(tests), tree, limit_s * 10, postgres=postgres)
        if failed:
            sys.exit(f"Without any mutant, {what} fails. Fix that first, or name areas that do not use it.")
    trees.put(tree)


def _paths(arguments: Sequence[str]) -> list[str]:
    """The files alone: a `-k` of one mutant would leave out the tests of another."""
    return sorted({argument.partition("::")[0] for argument in arguments if argument.startswith("tests/")})


def _show(outcome: Outcome) -> None:
    word = "killed  " if outcome.killed else "SURVIVED"
    mutant = outcome.mutant
    by = f" by {outcome.by}" if outcome.by else ""
    print(f"{word} {outcome.seconds:5.1f} s  {mutant.area}: {mutant.slip} ({mutant.file}){by}", flush=True)  # noqa: T201


def _sum_up(chosen: Sequence[Mutant], outcomes: Sequence[Outcome]) -> int:
    print(f"\n{'area':<18} {'mutants':>8} {'killed':>8} {'survived':>9} {'equivalent':>11}")  # noqa: T201
    names = sorted({mutant.area for mutant in chosen})
    for name in [*names, ""]:
        killed = [outcome.killed for outcome in outcomes if outcome.mutant.area == name or not name]
        equivalent = sum(bool(mutant.equivalent) for mutant in chosen if mutant.area == name or not name)
        count = len(killed) + equivalent
        row = f"{name or 'all':<18} {count:>8} {sum(killed):>8} {killed.count(False):>9} {equivalent:>11}"
        print(row)  # noqa: T201
    return int(not all(outcome.killed for outcome in outcomes))


if __name__ == "__main__":
    main()
