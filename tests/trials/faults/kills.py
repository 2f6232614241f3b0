"""Workers killed with SIGKILL while orders are pushed, delivered and answered. On the embedded broker one of them is a
prefork worker and the other one has threads."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Now

from exports.models import Lane
from tests.bench.bench import until
from tests.bench.results import Result, Table, at_most, exactly
from tests.support.installation import Installation, eventually
from tests.support.processes import family
from tests.trials.audit import audit
from tests.trials.runner import Torture
from tests.trials.site import WORKERS, Site, site

SETTLED_WITHIN_S = 120
STARTS_WITHIN_S = 60
# In each round some orders are pushed; at some moment of it a worker is killed.
ROUND_S = 2.0
AIMED = 0.8
# About what a batch takes.
WORK_S = 0.03

HEARS_WITHIN_S = 60

PREFORK, THREADS = "prefork", "threads"
CHILD, PARENT, WHOLE = "a child", "the parent alone", "the parent with its children"


@dataclass(frozen=True, kw_only=True)
class Victim:
    worker: str
    pool: str
    kind: str
    pid: int


def run(torture: Torture) -> Result:
    dice = random.Random(torture.seed)
    count, rounds = torture.size(2000, 60), torture.size(125, 6)
    kills: Counter[tuple[str, str]] = Counter()
    busy: Counter[tuple[str, str]] = Counter()
    pools = {} if torture.servers else {WORKERS[1]: THREADS}
    # So many at the end, one for each worker to hear of alone.
    count, last = count - len(WORKERS), len(WORKERS)
    with site(torture, count + last, pools) as place, ThreadPoolExecutor(1) as client:
        for turn in range(rounds):
            orders = place.orders[turn:count:rounds]
            pushing = client.submit(place.push, orders, ROUND_S / 2 / len(orders))
            victim = _victim(place.installation, dice)
            _wait(dice)
            at_work = _is_at_work()
            if _kill(place.installation, victim):
                kills[victim.pool, victim.kind] += 1
                busy[victim.pool, victim.kind] += at_work
            pushing.result()
        settled_s = place.settled_within(SETTLED_WITHIN_S)
        deaf = [name for name, order in zip(WORKERS, place.orders[count:], strict=True) if _is_deaf(place, name, order)]
        found = audit(place)
    return Result(
        told=(
            f"{count:,} pushes over {len(place.connections)} connections, {sum(kills.values())} kills among "
            f"{len(WORKERS)} `celery worker` processes, {_described(pools)}; {torture.setup}. After the last kill it "
            f"took {settled_s:.0f} s until every order was answered: {len(place.erp.said):,} answers, "
            f"{sum(said.status == 'FAILED' for said in place.erp.said.values())} of them refusals. "
            f"{found.temporaries} temporary files of killed attempts waited for the clean-up."
        ),
        tables=[
            Table(
                title="Kills",
                columns=("pool", "what was killed", "times", "while a lane was held"),
                rows=[(*what, str(times), str(busy[what])) for what, times in sorted(kills.items())],
            ),
            *found.findings(),
        ],
        bars=[
            *found.bars("kills"),
            at_most("kills: settled after the last kill", SETTLED_WITHIN_S, settled_s, "s"),
            exactly("kills: workers that no longer hear", 0, len(deaf), "workers"),
        ],
    )


def _described(pools: Mapping[str, str]) -> str:
    return "one with two children and one with two threads" if pools else "with two children each"


def _is_deaf(place: Site, worker: str, order: UUID) -> bool:
    """Whether the worker, all others ended, leaves the order where it is."""
    for other in set(WORKERS) - {worker}:
        place.installation.kill(other)
    _started(place.installation, worker)
    place.push([order], 0)
    deaf = place.settled_within(HEARS_WITHIN_S) >= HEARS_WITHIN_S
    for other in set(WORKERS) - {worker}:
        place.installation.start(other)
    return deaf


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
    name = dice.choice(WORKERS)
    up = eventually(lambda: _up(installation).get(name), within_s=STARTS_WITHIN_S, what=f"{name}, up,")
    parent, *children = up
    pool = installation.pools.get(name, PREFORK)
    kind = dice.choice((CHILD, PARENT, WHOLE)) if pool == PREFORK else WHOLE
    return Victim(worker=name, pool=pool, kind=kind, pid=dice.choice(children) if kind == CHILD else parent)


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
    """The processes of each worker that has threads, or has children."""
    for name in WORKERS:
        _started(installation, name)
    families = {name: family(installation.processes[name].pid) for name in WORKERS}
    return {name: processes for name, processes in families.items() if len(processes) > 1 or name in installation.pools}


def _started(installation: Installation, name: str) -> None:
    """Celery ends by itself when a child dies as it starts, and counts on a service manager."""
    if installation.processes[name].poll() is not None:
        installation.start(name)
