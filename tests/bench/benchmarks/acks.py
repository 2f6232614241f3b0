"""Answers: thousands of files in one folder, read, applied in PostgreSQL and moved away."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from connectors.models import ERPConnection
from exports import ack_poller
from exports.models import ERPExport
from exports.models.status import ExportStatus
from tests.bench.bench import Bench
from tests.bench.peers import Place, run_sftp
from tests.bench.results import Result, Table, at_least, compared, in_turn, number, times
from tests.bench.site import services, tenants
from tests.support import rows
from tests.support.processes import CPUClock

ANSWER = {
    "status": "ACKED",
    "erp_order_id": "SO-2025-000123",
    "processed_at": "2026-11-23T10:01:00Z",
    "message": "Order accepted for delivery with the next tour; see the confirmation by mail.",
}


class _Answers:
    """Each round with a connection of its own, as fresh as the first."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.count = bench.size(10_000, 100)
        self.cpu: dict[str, float] = {}
        self._round = 0

    def ours(self) -> float:
        connection = self._connection()
        exports = ERPExport.objects.filter(connection=connection)
        folder = self._answered(connection, list(exports.values_list("filename", flat=True)))
        rows.tidy_up()
        clock, started = CPUClock(services.servers(self.bench)), time.perf_counter()
        own = time.process_time()
        archived = ack_poller.poll(connection.pk)
        took = time.perf_counter() - started
        self.cpu = {"worker": time.process_time() - own, **clock.spent_s()}
        assert archived == self.count == exports.filter(status=ExportStatus.ACKED).count()
        assert len(list((folder / "processed").iterdir())) == self.count
        shutil.rmtree(folder)
        return self.count / took

    def by_sftp(self) -> float:
        folder = self.bench.new_folder()
        local = self.bench.folder / "read"
        local.mkdir()
        (folder / "processed").mkdir()
        names = [f"ack_{n}.json" for n in range(self.count)]
        write_answers(folder, names)
        place = Place(server=self.bench.sshd, port=self.bench.sshd.port, folder=folder.name, files=[])
        lines = [
            f"get {folder.name}/{name} {local}/{name}\nrename {folder.name}/{name} {folder.name}/processed/{name}\n"
            for name in names
        ]
        took = run_sftp(place, lines) - run_sftp(place, [])
        assert len(list(local.iterdir())) == len(list((folder / "processed").iterdir())) == self.count
        shutil.rmtree(folder)
        shutil.rmtree(local)
        return self.count / took

    def _connection(self) -> ERPConnection:
        self._round += 1
        (connection,) = tenants.connect(self.bench, f"answers-{self._round}")
        rows.add_exports([connection], self.count, ExportStatus.SENT)
        return connection

    def _answered(self, connection: ERPConnection, filenames: Sequence[str]) -> Path:
        folder = tenants.dropzone_of(self.bench, connection) / "acks"
        write_answers(folder, [f"ack_{name}" for name in filenames])
        return folder


def run(bench: Bench) -> Result:
    answers = _Answers(bench)
    figures = in_turn(min(bench.rounds, 3), {"sftp -b": answers.by_sftp, "OrderFlow": answers.ours})
    each = {name: seconds * 1000 / answers.count for name, seconds in answers.cpu.items()}
    return Result(
        told=(
            f"{answers.count:,} answers of {len(json.dumps(ANSWER))} bytes in one folder. OrderFlow lists them, reads "
            "them, applies them to exports and orders in PostgreSQL with the ledger and the history, and moves them; "
            "connecting included. `sftp -b` is told their names, gets them and renames them, connecting left out."
        ),
        tables=[
            compared("Answers", "files/s", figures, peer="sftp -b"),
            Table(title="CPU, ms an answer", columns=tuple(each), rows=[tuple(map(number, each.values()))]),
        ],
        bars=[
            at_least(
                "10,000 acks read, applied and moved, against `sftp -b` get + rename",
                5,
                times(figures["OrderFlow"], figures["sftp -b"]),
            )
        ],
        costs={f"answer {name}": value for name, value in each.items()},
    )


def write_answers(folder: Path, names: Sequence[str]) -> None:
    content = json.dumps(ANSWER).encode()
    for name in names:
        (folder / name).write_bytes(content)
