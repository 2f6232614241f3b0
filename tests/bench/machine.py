"""Where the figures come from."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = ("django", "celery", "paramiko", "asyncssh", "psycopg", "redis", "msgspec")


def described() -> dict[str, str]:
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {int(memory.split()[1]) / 1024**2:.0f} GB",
        "system": f"{_distribution()}, Linux {platform.release()}",
        "servers": ", ".join(_first_line(*command) for command in _SERVERS),
        "libraries": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES),
    }


_SERVERS = (("ssh", "-V"), ("redis-server", "--version"), ("psql", "--version"))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _distribution() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    name = next((line for line in lines if line.startswith("PRETTY_NAME=")), "PRETTY_NAME=Linux")
    return name.partition("=")[2].strip('"')


def _first_line(*command: str) -> str:
    """Versions go to standard output or to standard error, as each program likes."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"no {command[0]}"
    return (done.stdout or done.stderr).splitlines()[0].partition(" sha=")[0].strip()
