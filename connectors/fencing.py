"""The fence of a lease holder: what keeps a worker whose lease ended away from the dropzone.

The database decides who holds a lease. Between two renewals a worker has only its own clock, and a worker that was
paused (SIGSTOP, swap, a suspended machine) does not know for how long. So it compares that clock before each request.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

# Runs while the machine is suspended, which the monotonic clock of Linux does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class LeaseLost(Exception):
    """The lease ended. Its former holder must stop: neither write, rename, remove nor record anything."""


def now() -> float:
    """Seconds on a clock that is neither set nor stopped while the machine runs or sleeps."""
    return time.clock_gettime(_CLOCK)


class Fence:
    """One lease as the code that talks to a dropzone sees it. Safe for use by several threads.

    `token` is the lease's fencing token; it is part of every temporary name, so that no two holders share a name.
    `until` is a time of `now()`; the lease is certain to hold before it.
    """

    def __init__(self, *, token: int = 0, until: float = math.inf, subject: str = "") -> None:
        self.token = token
        self._until = until
        self._subject = subject
        self._batches = count(1)
        self._lock = threading.Lock()
        self._cuts: list[Callable[[], None]] = []

    def next_mark(self) -> str:
        """What distinguishes the temporary names of one batch from those of every other batch and holder."""
        return f"{self.token}-{next(self._batches)}"

    def extend(self, until: float) -> None:
        """After a renewal that was requested at `until` less the lease's length. A fence that was cut stays cut."""
        with self._lock:
            self._until = max(self._until, until) if self._until > -math.inf else self._until

    def cut(self) -> None:
        """End the lease for the code behind the fence, and every session in use with it. Idempotent."""
        with self._lock:
            self._until, cuts, self._cuts = -math.inf, self._cuts, []
        for cut in cuts:
            cut()

    @property
    def is_over(self) -> bool:
        return now() >= self._until

    def check(self) -> None:
        """Raises `LeaseLost`. To be called immediately before each request that changes anything."""
        if self.is_over:
            raise LeaseLost(
                f"The lease of {self._subject or 'this worker'} ended. The worker stops and writes nothing."
            )

    @contextmanager
    def guarding(self, cut: Callable[[], None]) -> Iterator[None]:
        """`cut` is called, from another thread, when the lease is lost while the block runs. Raises `LeaseLost`."""
        self.check()
        with self._lock:
            self._cuts.append(cut)
        try:
            yield
        finally:
            with self._lock:
                self._cuts = [each for each in self._cuts if each is not cut]
