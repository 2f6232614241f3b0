"""What processes cost, as the kernel tells it in /proc."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process, then its descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
    members = [pid]
    for member in members:
        members += children.get(member, [])
    return members


def cpu_s(pid: int) -> float:
    """Of the process and its descendants, the ended ones included."""
    ticks = 0
    for member in family(pid):
        with suppress(OSError):
            ticks += sum(int(field) for field in _stat(member)[11:15])
    return ticks * TICK_S


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


class CPUClock:
    """The CPU that each of some families of processes took since this clock began."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._before = self._now()

    def spent_s(self) -> dict[str, float]:
        now = self._now()
        return {name: now[name] - self._before[name] for name in self._roots}

    def _now(self) -> dict[str, float]:
        return {name: cpu_s(pid) for name, pid in self._roots.items()}


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which may hold anything: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
