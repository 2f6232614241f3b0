"""A network that splits between a worker and its SFTP server or database, and delivers late what it held back."""

from itertools import product

from tests.bench.results import Result
from tests.trials.interrupted.legs import Disturbance, Leg, result, run_legs
from tests.trials.runner import Torture

PLACES = ("openssh", "proftpd")
TIMEOUTS_S = (5, 120, 300)


def run(torture: Torture) -> Result:
    legs = _quick() if torture.quick else _full()
    ends = run_legs(torture, legs)
    times = sum(end.times for _, end in ends)
    return result(
        "splits",
        ends,
        at_work=times // 3,
        # Of a few, none may have one.
        taken_over=0 if torture.quick else times // 3,
        told=f"{sum(end.orders for _, end in ends):,} orders pushed in portions, {times} partitions of 0.5 to 3 "
        "leases: a proxy holds back all bytes of both directions and delivers them when the network heals, also those "
        "of a worker that has closed its socket since. Half of them cut off the worker that delivers and stop it, "
        "until its successor is at work over a connection of its own. The ERP takes each file within 2 ms, keeps its "
        "bytes and answers.",
    )


def _full() -> list[Leg]:
    """10 legs: 3,200 orders, 30 partitions."""
    places = [(place, Disturbance.SPLIT, on_servers) for place, on_servers in product(PLACES, (True, False))]
    places.append(("openssh", Disturbance.DATABASE_SPLIT, True))
    return [
        Leg(
            place=place,
            disturbance=disturbance,
            lease_s=lease_s,
            timeout_s=TIMEOUTS_S[number % 3],
            edits=number % 2 == 0,
            orders=320,
            times=3,
            on_servers=on_servers,
        )
        for number, (lease_s, (place, disturbance, on_servers)) in enumerate(product((4, 30), places))
    ]


def _quick() -> list[Leg]:
    cuts = [("openssh", Disturbance.SPLIT, False), ("openssh", Disturbance.DATABASE_SPLIT, True)]
    return [
        Leg(
            place=place,
            disturbance=disturbance,
            lease_s=1.0,
            timeout_s=120,
            edits=not on_servers,
            orders=120,
            times=2,
            on_servers=on_servers,
        )
        for place, disturbance, on_servers in cuts
    ]
