import gc
from collections.abc import Iterator

import pytest
from celery import signals

from orderflow import celery, gc_tuning


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("as_before")
def test_a_worker_that_starts_is_not_gone_through_again_and_again() -> None:
    signals.worker_init.send(sender=celery.app)
    assert gc.get_freeze_count() > 100_000
    assert gc.get_threshold() == gc_tuning.THRESHOLDS
    assert gc.isenabled()
