"""Redis killed and flushed, PostgreSQL crashed and started again, while orders are pushed, delivered and answered. On
SQLite with the embedded broker, which are no processes, web, beat and workers are killed, and the messages deleted."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis
from django.db import connection as database

from tests.bench.results import Result, Table, at_most, exactly
from tests.support.installation import Installation
from tests.trials.audit import audit
from tests.trials.runner import Servers, Torture
from tests.trials.site import WORKERS, site

DRAINED_WITHIN_S = 180
# In each round some orders are pushed; at some moment of it a server goes, and comes back after some time.
ROUND_S = 2.0
DOWN_S = 1.5


def run(torture: Torture) -> Result:
    dice = random.Random(torture.seed)
    count = torture.size(1000, 40)
    rounds = [fault for fault, times in _times(torture).items() for _ in range(times)]
    dice.shuffle(rounds)
    with site(torture, count) as place, ThreadPoolExecutor(1) as client:
        installation = place.installation
        faults = _faults(torture.servers, dice) if torture.servers else _embedded_faults(installation, dice)
        for turn, fault in enumerate(rounds):
            orders = place.orders[turn :: len(rounds)]
            pushing = client.submit(place.push, orders, ROUND_S / len(orders))
            time.sleep(dice.uniform(0, ROUND_S))
            faults[fault]()
            pushing.result()
        # This process had one as well.
        database.close()
        drained_s = place.settled_within(DRAINED_WITHIN_S)
        found = audit(place)
        ended = [name for name, process in installation.processes.items() if process.poll() is not None]
    return Result(
        told=(
            f"{count:,} pushes over {len(place.connections)} connections; {torture.setup}. What goes stays away for up "
            f"to {DOWN_S:g} s. {len(set(place.repeated)):,} pushes were answered with a fault of the server's, or not "
            f"at all, and came again with the same key. After the last restart it took {drained_s:.0f} s until every "
            "order was answered."
        ),
        tables=[
            Table(
                title="Restarts",
                columns=("what", "times"),
                rows=[(fault, str(times)) for fault, times in sorted(Counter(rounds).items())],
            ),
            *found.findings(),
        ],
        bars=[
            *found.bars("restarts"),
            exactly("restarts: web, workers and beat that ended", 0, len(ended), "processes"),
            at_most("restarts: drained after the last one", DRAINED_WITHIN_S, drained_s, "s"),
        ],
    )


KILLED, FLUSHED, CRASHED = "Redis killed", "Redis flushed", "PostgreSQL crashed"
EMPTIED, REMOVED = "the embedded broker emptied", "the embedded broker's folder removed"
PROCESSES = ("web", "beat", *WORKERS)


def _times(torture: Torture) -> Mapping[str, int]:
    if torture.servers is None:
        gone = {f"{name} killed": torture.size(10, 1) for name in PROCESSES}
        return gone | {EMPTIED: torture.size(10, 1), REMOVED: torture.size(10, 1)}
    return {KILLED: torture.size(20, 1), FLUSHED: torture.size(20, 1), CRASHED: torture.size(20, 2)}


def _away(dice: random.Random, crash: Callable[[], None], start: Callable[[], None]) -> None:
    crash()
    time.sleep(dice.uniform(0, DOWN_S))
    start()


def _embedded_faults(installation: Installation, dice: random.Random) -> Mapping[str, Callable[[], None]]:
    broker = Path(installation.settings["DATA_DIR"]) / "broker"

    def killed(name: str) -> Callable[[], None]:
        return lambda: _away(dice, lambda: installation.kill(name), lambda: installation.start(name))

    def empty() -> None:
        for message in broker.glob("queues/*/*"):
            message.unlink(missing_ok=True)

    return {
        **{f"{name} killed": killed(name) for name in PROCESSES},
        EMPTIED: empty,
        REMOVED: lambda: shutil.rmtree(broker, ignore_errors=True),
    }


def _faults(servers: Servers, dice: random.Random) -> Mapping[str, Callable[[], None]]:
    def flush() -> None:
        with redis.Redis.from_url(servers.redis.url) as client:
            client.flushall()

    return {
        KILLED: lambda: _away(dice, servers.redis.crash, servers.redis.start),
        FLUSHED: flush,
        CRASHED: lambda: _away(dice, servers.postgres.crash, servers.postgres.start),
    }
