"""F1: every step at which a process may die is reached in one place and has a row in the table of what must follow."""

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from django.core.checks import run_checks

from connectors import failpoints
from connectors.failpoints import Failpoint
from tests.support.product.sources import ROOT, SOURCES
from tests.system.crashes.table import TABLE

SCRIPT = """
from connectors.failpoints import Failpoint, reached
for step in (Failpoint.STAGED, Failpoint.JOURNALED, Failpoint.JOURNALED):
    reached(step)
    print(step, flush=True)
"""


@pytest.fixture
def armed() -> Iterator[None]:
    failpoints.arm("journaled:1000000")
    yield
    failpoints.arm("")


def _reached() -> Iterator[str]:
    """What stands in the product's calls."""
    for path in SOURCES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "reached":
                yield ast.unparse(node.args[0])


def test_each_step_is_reached_in_one_place() -> None:
    assert Counter(_reached()) == Counter(f"Failpoint.{step.name}" for step in Failpoint)


def test_each_step_has_a_row_in_the_table() -> None:
    assert {row.point for row in TABLE} == set(Failpoint)


@pytest.mark.parametrize(
    ("text", "lives_through"),
    [("", 3), ("staged", 0), ("journaled", 1), ("journaled:2", 2), ("journaled:3", 3), ("published", 3)],
)
def test_the_environment_names_the_step_to_die_at(text: str, lives_through: int) -> None:
    process = _run(text)
    assert process.returncode == (0 if lives_through == 3 else -signal.SIGKILL)
    assert process.stdout.split() == ["staged", "journaled", "journaled"][:lives_through]


def test_a_process_stops_at_the_step_and_goes_on_when_it_is_continued() -> None:
    with _start("journaled:2:pause") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=30)
    assert (output.split(), process.returncode) == (["staged", "journaled", "journaled"], 0)


@pytest.mark.parametrize(
    "text",
    ["jornaled", "journaled:", "journaled:0", ":2", "journaled:2:3", "journaled:pause", "journaled:1:stop", ":1:pause"],
)
def test_what_names_no_step_is_refused_with_the_steps_that_there_are(text: str) -> None:
    process = _run(text)
    assert process.returncode == 1
    assert f"FAILPOINT is {text!r}" in process.stderr
    assert "journaled, " in process.stderr


def _start(text: str) -> "subprocess.Popen[str]":
    command, environment = [sys.executable, "-c", SCRIPT], {**os.environ, "FAILPOINT": text}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _run(text: str) -> "subprocess.CompletedProcess[str]":
    with _start(text) as process:
        output, errors = process.communicate(timeout=30)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def test_production_is_told_of_one_that_is_armed(armed: None) -> None:
    (message,) = [m for m in run_checks(include_deployment_checks=True) if m.id == "connectors.E003"]
    assert "kills itself at journaled" in message.msg
    assert "FAILPOINT" in str(message.hint)
    failpoints.arm("journaled:1000000:pause")
    (message,) = [m for m in run_checks(include_deployment_checks=True) if m.id == "connectors.E003"]
    assert "stops itself at journaled" in message.msg


def test_nothing_is_armed_otherwise() -> None:
    assert failpoints.armed() is None
    assert not [m for m in run_checks(include_deployment_checks=True) if m.id == "connectors.E003"]
