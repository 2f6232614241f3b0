"""The product as a process of its own, under settings that a test chooses."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from orderflow.keys import fresh_keys
from tests.support.installation import ROOT


def environment(folder: Path, **settings: str) -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG")
    own = {"ENV_FILE": str(folder / "none.env"), "DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)}
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return {**inherited, **fresh_keys(), **own, "DJANGO_SETTINGS_MODULE": "orderflow.settings", **settings}


def run(folder: Path, *command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Python with this command line."""
    return subprocess.run(
        [sys.executable, *command],
        env=environment(folder, **settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


READ_SETTINGS = """
import json, os, runpy, sys
from django.core.exceptions import ImproperlyConfigured
before, refused = dict(os.environ), []
for case in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(before | case)
    try:
        runpy.run_module("orderflow.settings")
        refused.append("")
    except ImproperlyConfigured as error:
        refused.append(str(error))
print(json.dumps(refused))
"""


def refusals(folder: Path, cases: Sequence[dict[str, str]]) -> list[str]:
    """What reading the settings says in each case, all in one process. Empty where they can be used."""
    command = [sys.executable, "-c", READ_SETTINGS]
    text = json.dumps(cases)
    done = subprocess.run(
        command, env=environment(folder), input=text, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def manage(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run(folder, str(ROOT / "manage.py"), *arguments, **settings)
