"""When a message that was not delivered is sent again, and how long its receiver is left alone."""

import random
from datetime import timedelta

# Before a message's next try, by how many of its tries have failed.
WAITS = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# So many different messages in a row have to fail before their receiver is left alone: fewer may be at fault
# themselves.
SEVERAL = 3
# Between two probes of a receiver that is left alone, by how many pauses there have been in a row.
PAUSES = (
    timedelta(seconds=30),
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=15),
)
JITTER = 0.1
# A receiver that never once answered with 2xx for so long is not asked again until a person enables it. A message that
# is postponed for so long has failed.
GIVEN_UP_AFTER = timedelta(days=5)
# After 429 to so many messages in a row, the receiver is left alone for as long as it asked; one may have a limit of
# its own.
LIMITED_AFTER = 2
# What 429 means without `Retry-After`.
POSTPONED_S = 60
# What a receiver that asks for time gets at the least and at the most: for one message, and for all of them.
LEAST_S = 1
POSTPONED_LIMIT_S = 24 * 3600
REST_LIMIT_S = 3600


def wait_s(tries: int, asked_s: float | None = None) -> float:
    """Of a message, after so many failed tries; what the receiver asked for comes first."""
    if asked_s is not None:
        return _within(asked_s, POSTPONED_LIMIT_S)
    return _spread(WAITS[min(tries, len(WAITS)) - 1])


def pause_s(pauses: int, asked_s: float | None = None) -> float:
    """Of a receiver, for the so-manieth pause in a row; what it asked for comes first."""
    if asked_s is not None:
        return _within(asked_s, REST_LIMIT_S)
    return _spread(PAUSES[min(pauses, len(PAUSES)) - 1])


def postponed_s(asked_s: float | None) -> float:
    """Of a message that was answered with 429."""
    return _within(POSTPONED_S if asked_s is None else asked_s, POSTPONED_LIMIT_S)


def rest_s(asked_s: float | None) -> float:
    """Of a receiver that answers 429 to all."""
    return _within(POSTPONED_S if asked_s is None else asked_s, REST_LIMIT_S)


def is_used_up(tries: int) -> bool:
    return tries > len(WAITS)


def _within(asked_s: float, limit_s: float) -> float:
    return min(max(asked_s, LEAST_S), limit_s)


def _spread(wait: timedelta) -> float:
    """So that receivers that failed together do not come back together."""
    return wait.total_seconds() * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret depends on it
