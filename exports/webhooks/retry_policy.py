"""When a message that was not delivered is sent again, and how long an endpoint is paused."""

import random
from datetime import timedelta

# Before the next attempt of a message, by how many of its attempts have failed.
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
# Different messages that must fail in a row before the endpoint is paused: with fewer, the messages may be at fault.
SEVERAL = 3
# Between two probes of a paused endpoint, by the number of pauses in a row.
PAUSES = (
    timedelta(seconds=30),
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=15),
)
JITTER = 0.1
# An endpoint without a 2xx response for this long is disabled. A message that is postponed for this long is FAILED.
GIVEN_UP_AFTER = timedelta(days=5)
# Messages in a row that must get a 429 before the endpoint is paused: a single one may have a limit of its own.
LIMITED_AFTER = 2
# The wait after a 429 without `Retry-After`.
POSTPONED_S = 60
# Bounds of what `Retry-After` may ask for: at least, at most for one message, at most for the endpoint.
LEAST_S = 1
POSTPONED_LIMIT_S = 24 * 3600
REST_LIMIT_S = 3600


def wait_s(tries: int, asked_s: float | None = None) -> float:
    """Until the next attempt of a message with `tries` failed ones; `asked_s` takes precedence."""
    if asked_s is not None:
        return _within(asked_s, POSTPONED_LIMIT_S)
    return _spread(WAITS[min(tries, len(WAITS)) - 1])


def pause_s(pauses: int, asked_s: float | None = None) -> float:
    """Length of the endpoint's pause, the `pauses`-th in a row; `asked_s` takes precedence."""
    if asked_s is not None:
        return _within(asked_s, REST_LIMIT_S)
    return _spread(PAUSES[min(pauses, len(PAUSES)) - 1])


def postponed_s(asked_s: float | None) -> float:
    """Until the next attempt of a message after a 429."""
    return _within(POSTPONED_S if asked_s is None else asked_s, POSTPONED_LIMIT_S)


def rest_s(asked_s: float | None) -> float:
    """Length of the endpoint's pause after 429 to several messages in a row."""
    return _within(POSTPONED_S if asked_s is None else asked_s, REST_LIMIT_S)


def is_used_up(tries: int) -> bool:
    return tries > len(WAITS)


def _within(asked_s: float, limit_s: float) -> float:
    return min(max(asked_s, LEAST_S), limit_s)


def _spread(wait: timedelta) -> float:
    """With jitter, so that endpoints that failed together are not retried together."""
    return wait.total_seconds() * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret depends on it
