"""Workers killed with SIGKILL while orders are pushed, delivered and answered."""

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

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
AIMED = 0.8
# About what a batch takes.
WORK_S = 0.03

CHILD, PARENT, WHOLE = "a child", "the parent alone", "the parent with its children"


@dataclass(frozen=True, kw_only=True)
class Victim:
    worker: str
    kind: str
    pid: int


def run(torture: Torture) -> Result:
    dice = random.Random(torture.seed)
    count, rounds = torture.size(2000, 60), torture.size(125, 6)
    kills: Counter[str] = Counter()
    busy: Counter[str] = Counter()
    with site(torture, count) as place, ThreadPoolExecutor(1) as client:
        for turn in range(rounds):
            orders = place.orders[turn::rounds]
            pushing = client.submit(place.push, orders, ROUND_S / 2 / len(orders))
            victim = _victim(place.installation, dice)
            _wait(dice)
            at_work = _is_at_work()
            if _kill(place.installation, victim):
                kills[victim.kind] += 1
                busy[victim.kind] += at_work
            pushing.result()
        settled_s = place.settled_within(SETTLED_WITHIN_S)
        found = audit(place)
    return Result(
        told=(
            f"{count:,} pushes over {len(place.connections)} connections, {sum(kills.values())} kills among "
            f"{len(WORKERS)} `celery worker` processes with two children each. After the last kill it took "
            f"{settled_s:.0f} s until every order was answered: {len(place.erp.said):,} answers, "
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


def _victim(installation: Installation, dice: random.Random) -> Victim:
    """Chosen before the moment, which would be over by then."""
    up = eventually(lambda: _up(installation), within_s=STARTS_WITHIN_S, what="A worker that is up")
    name, kind = dice.choice(sorted(up)), dice.choice((CHILD, PARENT, WHOLE))
    parent, *children = up[name]
    return Victim(worker=name, kind=kind, pid=dice.choice(children) if kind == CHILD else parent)


def _kill(installation: Installation, victim: Victim) -> bool:
    """What was killed is started again at once, a child by its parent. False when it had ended by itself."""
    try:
        if victim.kind == WHOLE:
            os.killpg(victim.pid, signal.SIGKILL)
        else:
            os.kill(victim.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    if victim.kind != CHILD:
        installation.processes[victim.worker].wait()
        installation.start(victim.worker)
    return True


def _up(installation: Installation) -> dict[str, list[int]]:
    """The processes of each worker that has children."""
    for name in WORKERS:
        # Celery ends by itself when a child dies as it starts, and counts on a service manager.
        if installation.processes[name].poll() is not None:
            installation.start(name)
    families = {name: family(installation.processes[name].pid) for name in WORKERS}
    return {name: processes for name, processes in families.items() if len(processes) > 1}
