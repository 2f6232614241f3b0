"""Workers and beat that stop, and what watches them."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.installation import ROOT, Installation, eventually
from tests.system.acceptance.conftest import Site
from tests.system.acceptance.probes import probe, reachable, ready, stopped

OVERDUE_S = 10


def check(installation: Installation, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *command],
        env=installation.environment,
        cwd=installation.folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_a_standstill_of_workers_or_beat_is_named_and_ends_with_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """F33: the web keeps serving, and every check says what stands still."""
    installation = site.installation
    monkeypatch.setenv("SWEEP_OVERDUE_S", str(OVERDUE_S))
    for name in ("web", "beat", "worker"):
        installation.kill(name)
    for name in ("web", "beat"):
        installation.start(name)
    eventually(lambda: reachable(installation), within_s=60, what="The web")
    eventually(lambda: stopped(installation) == {"worker"}, within_s=60, what="A standstill of the workers")
    assert probe(installation, "/readyz/web") == (200, {"status": "ok"})
    this_worker = ("check_worker", "--hostname", "worker@%h", "--timeout")
    code, told = check(installation, *this_worker, "2")
    assert code == 1
    assert "did not run a task within 2 s" in told
    assert check(installation, "check_beat")[0] == 0

    installation.start("worker")
    eventually(lambda: ready(installation), within_s=60, what="The end of the standstill")
    assert check(installation, *this_worker, "60")[0] == 0

    installation.kill("beat")
    eventually(lambda: "beat" in stopped(installation), within_s=60, what="A standstill of beat")
    assert check(installation, "check_beat")[0] == 1
    assert check(installation, *this_worker, "60")[0] == 0


@pytest.mark.timeout(300)
def test_the_check_of_one_worker_is_not_answered_by_another(site: Site) -> None:
    """F33: a deaf worker beside one that hears."""
    installation = site.installation
    installation.start("worker-2")
    both = [("check_worker", "--hostname", f"{name}@%h", "--timeout") for name in ("worker", "worker-2")]
    for command in both:
        assert check(installation, *command, "60")[0] == 0
    os.killpg(installation.processes["worker-2"].pid, signal.SIGSTOP)
    code, told = check(installation, *both[1], "3")
    assert code == 1
    assert "worker-2@" in told
    assert check(installation, *both[0], "60")[0] == 0
