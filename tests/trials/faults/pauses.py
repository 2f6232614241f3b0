"""Workers paused with SIGSTOP for a part of a lease, or for some leases, while they deliver."""

from itertools import product

from tests.bench.results import Result
from tests.trials.interrupted.legs import LOCAL, Disturbance, Leg, result, run_legs
from tests.trials.runner import Torture

PLACES = ("openssh", "proftpd", LOCAL)
# With the longest timeout no watchdog ends a session before the lease does.
TIMEOUTS_S = (5, 120, 300)


def run(torture: Torture) -> Result:
    legs = _quick() if torture.quick else _full()
    ends = run_legs(torture, legs)
    times = sum(end.times for _, end in ends)
    return result(
        "pauses",
        ends,
        at_work=times // 3,
        # Of a few, none may have one.
        taken_over=0 if torture.quick else times // 3,
        told=f"{sum(end.orders for _, end in ends):,} orders pushed in portions, {times} pauses of 0.5 to 3 leases: of "
        "one of two workers with its children, or of both, mostly while it stages files. Mostly it resumes while its "
        "successor stages them. The connection is renamed or gets another folder or timeout during a pause where the "
        "table says so. The ERP takes each file within 2 ms, keeps its bytes and answers.",
    )


# More than the requests that are under way at once (256): the rest are sent when a worker resumes.
PORTION = 320


def _leg(
    place: str,
    *,
    lease_s: float,
    timeout_s: int,
    edits: bool,
    times: int,
    on_servers: bool,
    portion: int = PORTION,
) -> Leg:
    return Leg(
        place=place,
        disturbance=Disturbance.PAUSE,
        lease_s=lease_s,
        timeout_s=timeout_s,
        edits=edits,
        orders=portion * times,
        times=times,
        on_servers=on_servers,
    )


def _full() -> list[Leg]:
    """12 legs: 21,120 orders, 66 pauses."""
    return [
        _leg(
            place,
            lease_s=lease_s,
            timeout_s=TIMEOUTS_S[number % 3],
            edits=number % 2 == 0,
            times=7 if lease_s == 4 else 4,
            on_servers=on_servers,
        )
        for number, (lease_s, on_servers, place) in enumerate(product((4, 30), (True, False), PLACES))
    ]


def _quick() -> list[Leg]:
    return [
        _leg("openssh", lease_s=1, timeout_s=120, edits=True, times=2, on_servers=False),
        _leg(LOCAL, lease_s=1, timeout_s=120, edits=False, times=2, on_servers=True),
    ]
