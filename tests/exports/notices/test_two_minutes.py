"""With the default settings, the first e-mail leaves within two minutes of its cause: the sums that the docs state."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from connectors.health import PAUSES
from exports import growing, polling
from exports.retry_schedule import JITTER, WAITS

ROOT = Path(__file__).parents[3]
NAMES = ("CELERY_BEAT_SCHEDULE", "ACK_POLL_INTERVAL_S", "SWEEP_INTERVAL_S")
DOCS = (ROOT / "docs" / "configuration.md").read_text()


@cache
def defaults() -> dict[str, Any]:
    """Of the settings, in a process without any in its environment."""
    code = f"import json; from orderflow import settings as s; print(json.dumps({{n: getattr(s, n) for n in {NAMES}}}))"
    known = ("PATH", "HOME", "ENV_FILE", "DATA_DIR", "SECRET_KEY", "ENCRYPTION_MASTER_KEY")
    environment = {key: os.environ[key] for key in known if key in os.environ}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def interval(name: str) -> float:
    """Of a periodic task."""
    return float(defaults()["CELERY_BEAT_SCHEDULE"][name]["schedule"])


def stated(cause: str) -> float:
    """In the table of the docs, in seconds."""
    (row,) = re.findall(rf"^\| {cause} \|.*\| (\d+) s \|$", DOCS, re.MULTILINE)
    return float(row)


def test_a_rejection() -> None:
    found = defaults()["ACK_POLL_INTERVAL_S"] + interval("poll-due")
    assert found + interval("watch") == stated("a rejection") < 120


def test_a_damaged_acknowledgement() -> None:
    found = defaults()["ACK_POLL_INTERVAL_S"] + interval("poll-due")
    judged = growing.SECOND_LOOK_S + interval("poll-due")
    assert found + judged + interval("watch") == stated("a damaged acknowledgement") <= 105
    lines = re.findall(r"^ +(\d+) s  ", polling.__doc__ or "", re.MULTILINE)
    assert sum(map(int, lines)) == stated("a damaged acknowledgement")


def test_a_server_that_refuses_connections() -> None:
    """The pause begins with the third failed session."""
    waits = sum(wait.total_seconds() * (1 + JITTER) for wait in WAITS[: min(PAUSES) - 1])
    sweeps = (min(PAUSES) - 1) * defaults()["SWEEP_INTERVAL_S"]
    assert round(waits + sweeps + interval("watch")) == stated("a server that refuses connections") < 120
