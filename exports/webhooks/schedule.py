"""When a message that was not delivered is tried again, and how long its receiver is left alone."""

import random
from datetime import timedelta

WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.1
# A receiver that never once answered with 2xx for so long is not asked again until a person enables it.
GIVEN_UP_AFTER = timedelta(days=5)
# From so many failed tries on, a message lets those behind it go first: what a receiver cannot digest must not hold up
# the rest.
STUBBORN_AFTER = 2
# What a receiver that asks for more time gets at the most.
RETRY_AFTER_LIMIT_S = 3600


def wait_s(failures: int, asked_s: float = 0) -> float:
    """After so many failures in a row; at least what the receiver asked for, within reason."""
    wait = WAITS[min(failures, len(WAITS)) - 1]
    # Spread, so that the receivers that failed together do not come back together.
    spread = wait.total_seconds() * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret depends on it
    return max(spread, min(asked_s, RETRY_AFTER_LIMIT_S))


def is_stubborn(tries: int) -> bool:
    return tries >= STUBBORN_AFTER


def is_used_up(tries: int) -> bool:
    return tries > len(WAITS)
