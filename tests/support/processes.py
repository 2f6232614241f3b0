"""What processes cost, as the kernel tells it in /proc."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

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


class _Ticks(NamedTuple):
    """Of a process itself, and of the children that it has seen end."""

    own: int
    children: int


def _ticks(pid: int) -> dict[int, _Ticks]:
    found = {}
    for member in family(pid):
        with suppress(OSError):
            user, system, children_user, children_system = map(int, _stat(member)[11:15])
            found[member] = _Ticks(user + system, children_user + children_system)
    return found


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
        return {name: _spent(self._before[name], now[name]) * TICK_S for name in self._roots}

    def _now(self) -> dict[str, dict[int, _Ticks]]:
        return {name: _ticks(pid) for name, pid in self._roots.items()}


def _spent(before: Mapping[int, _Ticks], now: Mapping[int, _Ticks]) -> int:
    """The time of a child that ended is its parent's, if the parent saw it end; a parent that ended first did not."""
    by_the_living = sum(ticks.own - before.get(pid, _Ticks(0, 0)).own for pid, ticks in now.items())
    return max(by_the_living, sum(map(sum, now.values())) - sum(map(sum, before.values())))


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which may hold anything: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
