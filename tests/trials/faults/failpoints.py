"""A process killed at every step of a push, a delivery and a poll, at every server, on both databases."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.bench.results import Bar, Result, Table
from tests.system.crashes.scene import Case
from tests.system.crashes.stage import Stage, processes
from tests.system.crashes.table import TABLE
from tests.trials.runner import Torture
from tests.trials.stages import SERVERS, stages_of

# Each case with what is wrong with how it ended.
Ends = Sequence[tuple[Case, Sequence[str]]]


def run(torture: Torture) -> Result:
    cases = [*_cases()]
    if torture.quick:
        cases = random.Random(torture.seed).sample(cases, 6)
    with stages_of(torture) as stages, ProcessPoolExecutor(len(stages), processes) as pool:
        # A process each: killing and being told of it is for one thread.
        ends = dict(zip(stages, pool.map(_play, stages.values(), [cases] * len(stages)), strict=True))
    return _result(ends)


def _cases() -> Iterator[Case]:
    for row in TABLE:
        for server in filter(row.happens_at, SERVERS):
            yield from (Case(row=row, server=server, erp=erp) for erp in row.erps)


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
