"""What LOG_LEVEL lets through, and that a traceback reaches a log collector."""

import json
from pathlib import Path

import pytest

from tests.orderflow.environment.product import run

LOG = """
import django, logging
django.setup()
for name in ("django.request", "exports.delivery.drain"):
    for level in ("debug", "info", "warning"):
        getattr(logging.getLogger(name), level)("%s %s", name, level)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("django.request").error("Internal Server Error", exc_info=True)
"""


def events(folder: Path, **settings: str) -> list[dict[str, str]]:
    done = run(folder, "-c", LOG, **settings)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "let_through"), [("debug", ["debug", "info", "warning"]), ("INFO", ["info", "warning"]), ("ERROR", [])]
)
def test_the_level_holds_for_django_as_for_our_own_lines(tmp_path: Path, level: str, let_through: list[str]) -> None:
    """K13."""
    lines = [each["event"] for each in events(tmp_path, LOG_LEVEL=level) if each["logger"] != "asyncio"]
    expected = [f"{name} {each}" for name in ("django.request", "exports.delivery.drain") for each in let_through]
    assert lines == [*expected, "Internal Server Error"]


def test_a_traceback_is_in_the_line(tmp_path: Path) -> None:
    assert events(tmp_path)[-1]["exception"].endswith("ZeroDivisionError: division by zero")


def test_debug_writes_each_line_once(tmp_path: Path) -> None:
    lines = [each["event"] for each in events(tmp_path, DEBUG="true", LOG_JSON="true")]
    assert lines.count("django.request info") == 1
