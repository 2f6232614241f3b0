"""With the default settings, the first e-mail leaves within two minutes of its cause: the sums that the docs state."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connectors.connections.health import PAUSES
from exports.acks import growing
from exports.acks import schedule as poll_schedule
from exports.delivery.retry_policy import JITTER, WAITS
from tests.orderflow.environment.product import run

NAMES = ("CELERY_BEAT_SCHEDULE", "ACK_POLL_INTERVAL_S", "SWEEP_INTERVAL_S")
DOCS = (Path(__file__).parents[3] / "docs" / "reference" / "configuration.md").read_text()

Defaults = dict[str, Any]


@pytest.fixture(scope="module")
def defaults(tmp_path_factory: pytest.TempPathFactory) -> Defaults:
    """The settings by name, read in a process whose environment sets none of them."""
    code = f"import json; from orderflow import settings as s; print(json.dumps({{n: getattr(s, n) for n in {NAMES}}}))"
    done = run(tmp_path_factory.mktemp("defaults"), "-c", code)
    assert done.returncode == 0, done.stderr
    found: Defaults = json.loads(done.stdout)
    return found


def interval(defaults: Defaults, name: str) -> float:
    """Of a periodic task, in seconds."""
    return float(defaults["CELERY_BEAT_SCHEDULE"][name]["schedule"])


def stated(cause: str) -> float:
    """In the table of the docs, in seconds."""
    (row,) = re.findall(rf"^\| {cause} \|.*\| (\d+) s \|$", DOCS, re.MULTILINE)
    return float(row)


def test_a_rejection(defaults: Defaults) -> None:
    found = defaults["ACK_POLL_INTERVAL_S"] + interval(defaults, "poll-due")
    assert found + interval(defaults, "watch") == stated("a rejection") < 120


def test_a_damaged_acknowledgement(defaults: Defaults) -> None:
    found = defaults["ACK_POLL_INTERVAL_S"] + interval(defaults, "poll-due")
    judged = growing.SECOND_LOOK_S + interval(defaults, "poll-due")
    assert found + judged + interval(defaults, "watch") == stated("a damaged acknowledgement") <= 105
    lines = re.findall(r"^ +(\d+) s  ", poll_schedule.__doc__ or "", re.MULTILINE)
    assert sum(map(int, lines)) == stated("a damaged acknowledgement")


def test_a_server_that_refuses_connections(defaults: Defaults) -> None:
    """The pause begins with the third failed session."""
    waits = sum(wait.total_seconds() * (1 + JITTER) for wait in WAITS[: min(PAUSES) - 1])
    sweeps = (min(PAUSES) - 1) * defaults["SWEEP_INTERVAL_S"]
    assert round(waits + sweeps + interval(defaults, "watch")) == stated("a server that refuses connections") < 120
