"""Processes of a worker that are killed one by one, as the kernel does when memory runs out."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest

from tests.support.installation import Installation, eventually
from tests.support.processes import family
from tests.system.acceptance.conftest import Site
from tests.system.acceptance.orders import pushed

KILLS = 5


def children(installation: Installation) -> list[int]:
    return family(installation.processes["worker"].pid)[1:]


@pytest.mark.timeout(240)
def test_children_of_a_worker_are_killed_and_everything_is_sent(one_machine: Site) -> None:
    """F33: idle children too, and what a dead child had been given is found again."""
    installation, dice = one_machine.installation, random.Random(33)  # noqa: S311 - chance that can be drawn again
    one_machine.connect()
    inbox = one_machine.dropzone / "in"
    # Celery ends with an error when a child dies while it starts.
    pushed(installation, "PO-first")
    eventually(lambda: list(inbox.iterdir()), within_s=60, what="The first file")
    for n in range(KILLS):
        victims = eventually(lambda: children(installation), within_s=30, what="A worker with its children")
        with suppress(ProcessLookupError):
            os.kill(dice.choice(victims), signal.SIGKILL)
        pushed(installation, f"PO-{n}")
        time.sleep(dice.uniform(0, 1))
    # A wake-up that died with its child counts as lost after 30 s.
    eventually(lambda: len(list(inbox.iterdir())) == KILLS + 1, within_s=100, what="Every order's file")
    assert installation.processes["worker"].poll() is None
