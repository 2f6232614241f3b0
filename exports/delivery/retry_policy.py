"""When an order that could not be delivered is tried again."""

import random
from datetime import datetime, timedelta

WAITS = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
)
JITTER = 0.1


def next_attempt(tries: int, now: datetime, *, in_doubt: bool) -> datetime | None:
    """After `tries` failed tries; None when the schedule is used up.

    An order in doubt is never given up by a clock: nobody could push it again without risking a second one.
    """
    if tries > len(WAITS) and not in_doubt:
        return None
    wait = WAITS[min(tries, len(WAITS)) - 1]
    # Spread, so that a thousand orders of one outage do not come back in one second.
    return now + wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret depends on it
