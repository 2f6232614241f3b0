"""The whole path: from exports that a push has committed to SENT in PostgreSQL and files under their final names."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.models import ERPConnection
from exports.lanes import dispatch
from exports.models import ERPExport
from exports.models.status import ExportStatus
from tests.bench.bench import Bench, until
from tests.bench.peers import Place, sftp_batch
from tests.bench.results import Result, Table, at_least, compared, in_turn, number, times
from tests.bench.site import services, tenants
from tests.support import rows
from tests.support.processes import CPUClock

SMALL, LARGE = 3, 35
SPREAD = 4
DRAINED_WITHIN_S = 120


class _Run:
    """Rounds over the same connections, with orders of so many lines, and what they took of the processors."""

    def __init__(
        self, bench: Bench, connections: Sequence[ERPConnection], lines: int, roots: Mapping[str, int]
    ) -> None:
        self.count = bench.size(5000, 100)
        self.cpu: list[Mapping[str, float]] = []
        self._bench = bench
        self._connections = connections
        self._folders = [tenants.dropzone_of(bench, connection) for connection in connections]
        self._lines = lines
        self._roots = roots
        # Sessions are open and code is loaded, as in a worker that has been up for a while.
        self._drain(20 * len(connections))
        tenants.empty(self._folders)

    def files_per_s(self) -> float:
        tenants.empty(self._folders)
        took = self._drain(self.count)
        arrived = self.files()
        assert len(arrived) == self.count, f"{len(arrived)} of {self.count} files arrived"
        assert all(file.suffix == ".json" for file in arrived)
        return self.count / took

    def files(self) -> list[Path]:
        return [file for folder in self._folders for file in (folder / "in").iterdir()]

    def by_sftp(self) -> float:
        """The same files."""
        folder = self._bench.new_folder()
        place = Place(server=self._bench.sshd, port=self._bench.sshd.port, folder=folder.name, files=self.files())
        figure = sftp_batch(place)
        shutil.rmtree(folder)
        return figure

    def _drain(self, count: int) -> float:
        rows.add_exports(self._connections, count, ExportStatus.PENDING, lines=self._lines)
        rows.tidy_up()
        clock, started = CPUClock(self._roots), time.perf_counter()
        for connection in self._connections:
            dispatch.wake(connection.pk)
        until(
            lambda: not ERPExport.objects.filter(status=ExportStatus.PENDING).exists(),
            within_s=DRAINED_WITHIN_S,
            every_s=0.02,
        )
        took = time.perf_counter() - started
        self.cpu.append({**clock.spent_s(), "elapsed": took})
        return took


def run(bench: Bench) -> Result:
    with services.workers(bench, 2) as workers:
        roots = {**workers, **services.servers(bench)}
        one = _Run(bench, tenants.connect(bench, "one"), SMALL, roots)
        four = _Run(bench, tenants.connect(bench, "four", organizations=SPREAD), SMALL, roots)
        large = _Run(bench, tenants.connect(bench, "large", organizations=SPREAD), LARGE, roots)
        rounds = min(bench.rounds, 3)
        small_figures = in_turn(
            rounds,
            {
                "OrderFlow, one connection": one.files_per_s,
                f"OrderFlow, {SPREAD} connections": four.files_per_s,
                "sftp -b": four.by_sftp,
            },
        )
        large_figures = in_turn(
            rounds, {f"OrderFlow, {SPREAD} connections": large.files_per_s, "sftp -b": large.by_sftp}
        )
    best = max(times(small_figures[way], small_figures["sftp -b"]) for way in list(small_figures)[:2])
    split = {"one connection": one, f"{SPREAD} connections": four, f"{SPREAD} connections, 35 lines": large}
    return Result(
        told=(
            f"{one.count:,} exports as a push commits them, then a wake-up for each connection; until none is PENDING. "
            "Two `celery worker` processes with one child each, Redis, PostgreSQL (whose data is in memory, so that no "
            "disk is measured), copies into a folder, OpenSSH on loopback, sessions open. `sftp -b` puts and renames "
            "the same files, connecting left out.\n\n"
            "The last table tells where the processors' time went, in ms for each export; a machine with more "
            f"processors than this one spends as much, at the same time. What holds the rest over {SPREAD} "
            f"connections: {_shares(four)} of it."
        ),
        tables=[
            compared("Orders of 3 lines (1.3 kB)", "files/s", small_figures, peer="sftp -b"),
            compared("Orders of 35 lines (8 kB)", "files/s", large_figures, peer="sftp -b"),
            Table(
                title="CPU, ms an export",
                columns=("run", *one.cpu[-1]),
                rows=[(name, *map(number, _ms_each(each).values())) for name, each in split.items()],
            ),
        ],
        bars=[at_least("whole path, 5,000 orders, two workers, against `sftp -b` of the same files", 0.5, best)],
        costs={f"whole path {name}": value for name, value in _costs(four).items()},
    )


def _ms_each(drained: _Run) -> dict[str, float]:
    """Of the last round."""
    return {name: seconds * 1000 / drained.count for name, seconds in drained.cpu[-1].items()}


def _shares(drained: _Run) -> str:
    costs = _costs(drained)
    total = sum(costs.values())
    return ", ".join(f"{name} {value / total:.0%}" for name, value in costs.items())


def _costs(drained: _Run) -> dict[str, float]:
    each = _ms_each(drained)
    return {"worker": sum(value for name, value in each.items() if name.startswith("worker"))} | {
        name: each[name] for name in ("OpenSSH", "PostgreSQL", "Redis")
    }
