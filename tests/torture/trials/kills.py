"""Workers killed with SIGKILL while orders are pushed, delivered and answered."""

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.db.models.functions import Now

from exports.models import Lane
from tests.acceptance.installation import Installation, eventually
from tests.bench.bench import until
from tests.bench.processes import family
from tests.bench.results import Result, Table, at_most
from tests.torture.audit import audit
from tests.torture.site import WORKERS, site
from tests.torture.torture import Torture

SETTLED_WITHIN_S = 120
STARTS_WITHIN_S = 60
# In each round some orders are pushed; at some moment of it a worker is killed.
ROUND_S = 2.0
AIMED = 0.7
# About what a batch takes.
WORK_S = 0.05

CHILD, PARENT, WHOLE = "a child", "the parent alone", "the parent with its children"


def run(torture: Torture) -> Result:
    dice = random.Random(torture.seed)
    count, rounds = torture.size(2000, 60), torture.size(125, 6)
    kills: Counter[str] = Counter()
    busy: Counter[str] = Counter()
    with site(torture, count) as place, ThreadPoolExecutor(1) as client:
        for turn in range(rounds):
            orders = place.orders[turn::rounds]
            pushing = client.submit(place.push, orders, ROUND_S / 2 / len(orders))
            _wait(dice)
            at_work = _is_at_work()
            kind = _kill(place.installation, dice)
            kills[kind] += 1
            busy[kind] += at_work
            pushing.result()
        settled_s = place.settled_within(SETTLED_WITHIN_S)
        found = audit(place)
    return Result(
        told=(
            f"{count:,} pushes over {len(place.connections)} connections, {rounds} kills among {len(WORKERS)} "
            f"`celery worker` processes with two children each. After the last kill it took {settled_s:.0f} s until "
            f"every order was answered: {len(place.erp.said)} answers, "
            f"{sum(said.status == 'FAILED' for said in place.erp.said.values())} of them refusals."
        ),
        tables=[
            Table(
                title="Kills",
                columns=("what was killed", "times", "while a lane was held"),
                rows=[(kind, str(times), str(busy[kind])) for kind, times in sorted(kills.items())],
            ),
            *found.findings(),
        ],
        bars=[
            *found.bars("kills"),
            at_most("kills: settled after the last kill", SETTLED_WITHIN_S, settled_s, "s"),
        ],
    )


def _wait(dice: random.Random) -> None:
    """Until some moment of the round; mostly until one at which something is being done, which moments seldom are."""
    time.sleep(dice.uniform(0, ROUND_S))
    if dice.random() < AIMED:
        with suppress(TimeoutError):
            until(_is_at_work, within_s=ROUND_S, every_s=0.002)
        time.sleep(dice.uniform(0, WORK_S))


def _is_at_work() -> bool:
    return Lane.objects.filter(leased_until__gte=Now()).exists()


def _kill(installation: Installation, dice: random.Random) -> str:
    """One that is up, at once started again. What was killed of it."""
    up = eventually(lambda: _up(installation), within_s=STARTS_WITHIN_S, what="A worker that is up")
    name, kind = dice.choice(up), dice.choice((CHILD, PARENT, WHOLE))
    process = installation.processes[name]
    if kind == CHILD:
        # The parent starts another one.
        os.kill(dice.choice(family(process.pid)[1:]), signal.SIGKILL)
        return kind
    if kind == PARENT:
        # Its children go on with what they have in hand.
        process.kill()
        process.wait()
    else:
        installation.kill(name)
    installation.start(name)
    return kind


def _up(installation: Installation) -> list[str]:
    for name in WORKERS:
        # Celery ends by itself when a child dies as it starts, and counts on a service manager.
        if installation.processes[name].poll() is not None:
            installation.start(name)
    return [name for name in WORKERS if len(family(installation.processes[name].pid)) > 1]
