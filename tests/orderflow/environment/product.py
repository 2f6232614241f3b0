"""The product as a process of its own, under settings that a test chooses."""

import os
import subprocess
import sys
from pathlib import Path

from orderflow.keys import fresh_keys
from tests.acceptance.installation import ROOT


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


def manage(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run(folder, str(ROOT / "manage.py"), *arguments, **settings)
