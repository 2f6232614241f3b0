"""The connector alone: files staged, sizes compared, published; against every other way to do it."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from connectors.ports import ExportDocument
from tests.bench import peers
from tests.bench.bench import Bench
from tests.bench.drops import (
    connection_config,
    drop,
    dropzone_settings,
    random_documents,
    round_trip_ms,
    write_locally,
)
from tests.bench.peers import Place
from tests.bench.results import Result, Ways, at_least, compared, in_turn, times
from tests.servers.proxies.delay_proxy import delay_proxy

SIZE = 10_000
ROUND_TRIP_S = 0.04
# As a worker does it.
OURS = f"OrderFlow, batches of {settings.DELIVERY_BATCH_SIZE}"


@dataclass(frozen=True, kw_only=True)
class _Field:
    """Files to bring, and how to get there."""

    bench: Bench
    port: int
    documents: Sequence[ExportDocument]
    files: Sequence[Path]

    def peer(self, way: Callable[[Place], float], count: int) -> float:
        folder = self.bench.new_folder()
        place = Place(server=self.bench.sshd, port=self.port, folder=folder.name, files=self.files[:count])
        figure = way(place)
        return self._checked(folder, len(place.files), figure)

    def ours(self, batch: int) -> float:
        folder = self.bench.new_folder()
        place = dropzone_settings(connection_config(self.bench.sshd, self.port, folder.name))
        return self._checked(folder, len(self.documents), len(self.documents) / drop(place, self.documents, batch))

    def _checked(self, folder: Path, count: int, figure: float) -> float:
        arrived = [file for file in folder.iterdir() if file.suffix == ".json"]
        assert len(arrived) == count, f"{len(arrived)} of {count} files arrived"
        assert all(file.stat().st_size == SIZE for file in arrived)
        shutil.rmtree(folder)
        return figure


def run(bench: Bench) -> Result:
    documents = random_documents(bench.size(2000, 100), SIZE)
    files = write_locally(documents, bench.folder / "local")
    near = _Field(bench=bench, port=bench.sshd.port, documents=documents, files=files)
    loopback = in_turn(bench.rounds, _ways(near, few=20, some=2000))
    with delay_proxy(bench.sshd.port, ROUND_TRIP_S) as proxy:
        far = _Field(bench=bench, port=proxy.port, documents=documents, files=files)
        measured_ms = round_trip_ms(dropzone_settings(connection_config(bench.sshd, proxy.port, ".")))
        delayed = in_turn(min(bench.rounds, 3), _ways(far, few=4, some=40))
    near_times, far_times = (times(found[OURS], found["sftp -b"]) for found in (loopback, delayed))
    return Result(
        told=(
            f"{len(documents):,} files of {SIZE:,} bytes. Connecting is left out, but for the connection per file. "
            "The slow ones bring fewer of them: the connection per file 20 (over the delay 4), over the delay `sftp "
            f"-b` and one Paramiko connection 40. One question over the delay was answered after {measured_ms:.1f} ms."
        ),
        tables=[
            compared("OpenSSH on loopback", "files/s", loopback, peer="sftp -b"),
            compared("The same, 40 ms round trip", "files/s", delayed, peer="sftp -b"),
        ],
        bars=[
            at_least("connector alone, loopback, against `sftp -b`", 6, near_times),
            at_least("connector alone, 40 ms, against `sftp -b`", 150, far_times),
        ],
    )


def _ways(field: _Field, *, few: int, some: int) -> Ways:
    everything = len(field.documents)
    return {
        "a connection per file (Paramiko)": partial(field.peer, peers.connection_per_file, few),
        "one connection (Paramiko)": partial(field.peer, peers.one_connection, some),
        "sftp -b": partial(field.peer, peers.sftp_batch, some),
        "asyncssh, 32 at once": partial(field.peer, partial(peers.asyncssh_at_once, many=32), everything),
        "asyncssh, 128 at once": partial(field.peer, partial(peers.asyncssh_at_once, many=128), everything),
        OURS: partial(field.ours, settings.DELIVERY_BATCH_SIZE),
        "OrderFlow, one batch": partial(field.ours, everything),
    }
