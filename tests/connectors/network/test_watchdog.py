import socket
import time
from collections.abc import Iterator

import pytest

from connectors.network.watchdog import BYTES_PER_SECOND, SECONDS_PER_ITEM, Watchdog


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def watchdog(pair: tuple[socket.socket, socket.socket]) -> Iterator[Watchdog]:
    watchdog = Watchdog(pair[0])
    yield watchdog
    watchdog.stop()


def seconds_until_it_barks(watchdog: Watchdog, *, step: int) -> float:
    started = time.monotonic()
    while not watchdog.barked and time.monotonic() - started < 5:
        time.sleep(0.02)
        watchdog.progress(step)
    return time.monotonic() - started


def test_it_wakes_whoever_waits_for_the_socket(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
    """F17."""
    watchdog.allow_until(time.monotonic() + 0.1)
    pair[0].settimeout(5)
    assert pair[0].recv(1) == b""
    assert watchdog.barked


def test_drops_do_not_keep_a_batch_alive(watchdog: Watchdog) -> None:
    """F16: no silence, and no end either."""
    watchdog.allow_batch(1, silence_s=0.3)
    assert seconds_until_it_barks(watchdog, step=1) == pytest.approx(0.3 + SECONDS_PER_ITEM, abs=0.4)


def test_a_batch_that_moves_may_take_its_time(watchdog: Watchdog) -> None:
    watchdog.allow_batch(0, silence_s=0.3)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        time.sleep(0.02)
        watchdog.progress(BYTES_PER_SECOND)
    assert not watchdog.barked


def test_nothing_saves_a_job_with_a_fixed_end(watchdog: Watchdog) -> None:
    """F16."""
    watchdog.allow_until(time.monotonic() + 0.3)
    assert seconds_until_it_barks(watchdog, step=0) < 1


def test_it_sleeps_between_batches(watchdog: Watchdog) -> None:
    watchdog.allow_batch(0, silence_s=0.1)
    watchdog.rest()
    time.sleep(0.3)
    assert not watchdog.barked
