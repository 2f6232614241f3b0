"""Many sequences, part by part, and what they came to."""

import time
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.system.model.sequences import Sequences
from tests.system.model.world import stage

STEPS = 16
# With a seed of its own each, so that an illegal state ends its part alone.
PART = 250


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`counts` tells how often each rule came to anything; `illegal` has each illegal state with the steps to it."""

    settled: int
    seconds: float
    counts: dict[str, int]
    illegal: list[str]


def run(count: int, *, first_seed: int) -> Outcome:
    started = time.monotonic()
    illegal = []
    with stage() as new_world:
        Sequences.begin_anew(new_world)
        for begin in range(0, count, PART):
            part_seed = first_seed + begin // PART
            chosen = of(min(PART, count - begin), phases=[Phase.generate])
            try:
                run_state_machine_as_test(seed(part_seed)(Sequences), settings=chosen)
            except Exception as error:  # noqa: BLE001 - an error of the product's is an illegal state too
                illegal.append("\n".join([f"seed {part_seed}: {error!r}", *getattr(error, "__notes__", [])]))
    seconds = time.monotonic() - started
    counts = dict(Sequences.counts.most_common())
    return Outcome(settled=Sequences.settled, seconds=seconds, counts=counts, illegal=illegal)


def of(sequences: int, **more: Any) -> settings:
    return settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
