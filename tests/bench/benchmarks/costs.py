"""What one unit of each kind of work costs in processor time, on both sides. docs/measurements/scaling.md uses it."""

import time
from collections.abc import Callable

from django.conf import settings

from connectors.dropzones.settings import DropzoneSettings
from exports import ack_poller
from exports.delivery import drain as delivery
from exports.models.status import ExportStatus
from tests.bench.bench import Bench
from tests.bench.drops import connection_config, drop, dropzone_settings, random_documents
from tests.bench.results import Result, Table, number
from tests.bench.site import services, tenants
from tests.support import rows
from tests.support.processes import CPUClock

# As many as a process keeps sessions for, or fewer.
LANES = 20


class _Costs:
    def __init__(self, bench: Bench) -> None:
        self.ms: dict[str, dict[str, float]] = {}
        self._bench = bench
        self._servers = services.servers(bench)

    def measure(
        self, unit: str, act: Callable[[], object], *, units: int, repeat: int, prepare: Callable[[], object] = bool
    ) -> None:
        repeat = self._bench.size(repeat, 1)
        spent = dict.fromkeys(("OrderFlow", *self._servers), 0.0)
        for _ in range(repeat):
            prepare()
            clock, own = CPUClock(self._servers), time.process_time()
            act()
            spent["OrderFlow"] += time.process_time() - own
            for name, seconds in clock.spent_s().items():
                spent[name] += seconds
        self.ms[unit] = {name: seconds * 1000 / (units * repeat) for name, seconds in spent.items()}


def run(bench: Bench) -> Result:
    costs = _Costs(bench)
    _wire(bench, costs)
    _lanes(bench, costs)
    return Result(
        told="Milliseconds of CPU for one unit of work, in our process and in the servers'; OpenSSH on loopback.",
        tables=[
            Table(
                title="CPU, ms",
                columns=("unit", *next(iter(costs.ms.values()))),
                rows=[(unit, *map(number, spent.values())) for unit, spent in costs.ms.items()],
            )
        ],
        costs={f"{unit}: {name}": value for unit, spent in costs.ms.items() for name, value in spent.items()},
    )


def _wire(bench: Bench, costs: _Costs) -> None:
    place = _place(bench)
    files, large = random_documents(2000, 10_000), random_documents(1, 10_000_000)
    costs.measure("connecting", lambda: [place.connect().close() for _ in range(20)], units=20, repeat=3)
    batch = settings.DELIVERY_BATCH_SIZE
    costs.measure("file of 10 kB", lambda: drop(_place(bench), files, batch), units=len(files), repeat=5)
    costs.measure("MB of a large file", lambda: drop(_place(bench), large, batch=1), units=10, repeat=5)


def _lanes(bench: Bench, costs: _Costs) -> None:
    connections = tenants.connect(bench, "lanes", organizations=LANES)

    def drain() -> None:
        for connection in connections:
            delivery.drain(connection.pk)

    def poll() -> None:
        for connection in connections:
            ack_poller.poll(connection.pk)

    # Leaves the sessions behind that are used below.
    poll()
    costs.measure(
        "export alone in its batch",
        drain,
        units=LANES,
        repeat=5,
        prepare=lambda: rows.add_exports(connections, LANES, ExportStatus.PENDING),
    )
    costs.measure("poll that finds nothing", poll, units=LANES, repeat=5)


def _place(bench: Bench) -> DropzoneSettings:
    return dropzone_settings(connection_config(bench.sshd, bench.sshd.port, bench.new_folder().name))
