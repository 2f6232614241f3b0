import math
import threading
import time

import pytest

from connectors import fencing
from connectors.fencing import Fence, LeaseLost


def test_every_batch_of_every_holder_has_its_own_mark() -> None:
    """F30."""
    first, second = Fence(token=17), Fence(token=18)
    marks = [first.next_mark(), first.next_mark(), second.next_mark()]
    assert marks == ["17-1", "17-2", "18-1"]


def test_a_fence_holds_until_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    fence = Fence(token=1, until=fencing.now() + 1000, subject="the lane of Vienna")
    fence.check()
    later = fencing.now() + 1001
    monkeypatch.setattr(fencing, "now", lambda: later)
    with pytest.raises(LeaseLost, match="the lane of Vienna"):
        fence.check()
    fence.extend(later + 1)
    fence.check()


def test_an_extension_never_shortens() -> None:
    fence = Fence(until=math.inf)
    fence.extend(fencing.now() - 1)
    fence.check()


def test_a_fence_that_was_cut_stays_cut_and_cuts_what_is_in_use() -> None:
    """F30."""
    fence, cut = Fence(), threading.Event()
    with fence.guarding(cut.set):
        fence.cut()
        assert cut.is_set()
    fence.extend(math.inf)
    with pytest.raises(LeaseLost), fence.guarding(cut.clear):
        pass
    fence.cut()
    assert cut.is_set()


def test_what_is_no_longer_in_use_is_not_cut() -> None:
    fence, cut = Fence(), threading.Event()
    with fence.guarding(cut.set):
        pass
    fence.cut()
    assert not cut.is_set()


def test_its_clock_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """F28, F30: on Linux; the monotonic clock stands still."""
    assert fencing.now() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)
    # As on a machine that slept for an hour; on one that never did, both clocks show the same.
    clocks = {time.CLOCK_MONOTONIC: 1000.0, time.CLOCK_BOOTTIME: 4600.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    assert fencing.now() == 4600
