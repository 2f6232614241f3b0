"""A worker paused past its lease at every step of a push, a delivery and a poll, at every server, on both databases."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.bench.results import Bar, Result, Table
from tests.crashes.pause_stage import play
from tests.crashes.pauses import PauseCase, all_cases
from tests.crashes.stage import Stage, processes
from tests.torture.stages import SERVERS, stages_of
from tests.torture.torture import Torture

# Each case with what is wrong with how it ended.
Ends = Sequence[tuple[PauseCase, Sequence[str]]]


def run(torture: Torture) -> Result:
    """Each case on both databases; a quick run plays some, each on one of them."""
    dice = random.Random(torture.seed)
    cases = [*all_cases(SERVERS)]
    dice.shuffle(cases)
    with stages_of(torture) as stages, ProcessPoolExecutor(len(stages), processes) as pool:
        shares = [cases[turn : 6 : len(stages)] if torture.quick else cases for turn in range(len(stages))]
        ends = dict(zip(stages, pool.map(_play, stages.values(), shares), strict=True))
    return _result(ends)


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
        "left alone, renamed, or led to another folder or place.",
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
