"""The quick form of every trial. `make torture` runs the full ones, into docs/measurements/reliability.md."""

import subprocess
import sys

import pytest

from tests.bench.bench import ROOT
from tests.trials.faults import NAMES, RUNS
from tests.trials.trial import MISSING

ENDS_WITHIN_S = 400


def _torture(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.trials", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(timeout=ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        # Asked, not killed: the trial takes its servers along.
        process.terminate()
        output, _ = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output)


@pytest.mark.timeout(500)
@pytest.mark.parametrize(("name", "database"), RUNS)
def test_every_bar_is_met(name: str, database: str) -> None:
    done = _torture(name, "--database", database, "--quick")
    if done.returncode == MISSING:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_how_the_fault_is_made(name: str) -> None:
    page = (ROOT / "docs" / "measurements" / "reliability.md").read_text()
    assert f"**{name}**" in page.partition("<!-- measured: begin -->")[0]


def test_an_unknown_trial_is_named() -> None:
    done = _torture("luck")
    assert done.returncode == 2
    assert "no trial luck" in done.stdout
