"""The same work in a small database and in a large one, with few connections and with many."""

import statistics
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports import ack_poller, delivery, polling, tasks
from exports.models import ERPExport
from exports.transitions import ExportStatus
from orderflow.orders.models import DraftOrder
from tests.bench import rows, tenants
from tests.bench.bench import Bench
from tests.bench.benchmarks.acks import write_answers
from tests.bench.databases import fresh_database, size_mb
from tests.bench.results import Result, Table, at_most, number

EXPORTS = (1_000, 100_000, 1_000_000)
CONNECTIONS = (1, 100, 1_000)
FEW_EXPORTS, FEW_CONNECTIONS = (100, 300), (1, 3)
BATCH = 200
PUSHES, PAGES, ROUNDS = 60, 25, 25


class _Database:
    """One with so many connections, growing."""

    def __init__(self, bench: Bench, connections: int) -> None:
        self._bench = bench
        self._connections = tenants.connect(bench, "grown", organizations=connections)
        self._first = self._connections[0]
        user, token = tenants.somebody(self._first.organization)
        self._api = APIClient()
        self._api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        self._admin, self._operator = Client(), Client()
        self._admin.force_login(user)
        self._operator.force_login(User.objects.create_superuser("operator"))
        self._exports = 0

    def grow_to(self, count: int) -> None:
        """One export in a hundred awaits its answer, and one of each connection from the start: how many connections
        have to be asked is the same at every size."""
        more = count - self._exports
        awaiting = max(more // 100, 0 if self._exports else len(self._connections))
        rows.add_exports(self._connections, more - awaiting, ExportStatus.ACKED, lines=1)
        rows.add_exports(self._connections, awaiting, ExportStatus.SENT, lines=1)
        rows.tidy_up()
        self._exports = count

    def figures(self) -> dict[str, float]:
        """Milliseconds by what was done."""
        drains, polls = zip(*(self._drain_and_poll() for _ in range(self._bench.size(ROUNDS, 1) + 1)), strict=True)
        return {
            "push endpoint": self._push(),
            f"drain of {BATCH}": statistics.median(drains[1:]),
            f"poll of {BATCH} answers": statistics.median(polls[1:]),
            "API, list of exports": self._page(self._api, reverse("export-list")),
            "admin, list of exports": self._page(self._admin, reverse("admin:exports_erpexport_changelist")),
            "the same, of all organizations": self._page(self._operator, reverse("admin:exports_erpexport_changelist")),
            "sweep": self._median(tasks.sweep, PAGES),
            "whom to poll": self._median(polling.due_for_polling, PAGES),
        }

    def _push(self) -> float:
        count = self._bench.size(PUSHES, 5)
        rows.add_approved([self._first], count, lines=1)
        orders = DraftOrder.objects.filter(organization=self._first.organization, status="APPROVED")
        series = [_ms(lambda order=order: self._push_one(order)) for order in orders.values_list("pk", flat=True)]  # type: ignore[misc]
        delivery.drain(self._first.pk)
        return statistics.median(series)

    def _push_one(self, order: UUID) -> None:
        answer = self._api.post(reverse("draft-order-push-push", args=[order]))
        assert answer.status_code == 202, answer.content

    def _drain_and_poll(self) -> tuple[float, float]:
        rows.add_exports([self._first], BATCH, ExportStatus.PENDING)
        fresh = list(_pending(self._first).values_list("filename", flat=True))
        drained = _ms(lambda: delivery.drain(self._first.pk))
        assert not _pending(self._first).exists()
        folder = tenants.dropzone_of(self._bench, self._first)
        write_answers(folder / "acks", [f"ack_{name}" for name in fresh])
        polled = _ms(lambda: ack_poller.poll(self._first.pk))
        assert ERPExport.objects.filter(filename__in=fresh, status=ExportStatus.ACKED).count() == BATCH
        return drained, polled

    def _page(self, client: Client, path: str) -> float:
        def get() -> None:
            answer = client.get(path)
            assert answer.status_code == 200, path

        return self._median(get, PAGES)

    def _median(self, act: Callable[[], object], repeat: int) -> float:
        act()
        return statistics.median(_ms(act) for _ in range(self._bench.size(repeat, 2)))


def run(bench: Bench) -> Result:
    sizes = FEW_EXPORTS if bench.quick else EXPORTS
    tables, worst, of = [], 0.0, ""
    for connections in FEW_CONNECTIONS if bench.quick else CONNECTIONS:
        with fresh_database(f"grown_{connections}"):
            found, mb = _measured(_Database(bench, connections), sizes)
        tables.append(_table(connections, sizes, found))
        for what, series in found.items():
            if series[-1] / series[0] > worst:
                worst, of = series[-1] / series[0], f"{what}, {connections:,} connections"
    return Result(
        told=(
            f"Median milliseconds, in one process, with {' / '.join(f'{size:,}' for size in sizes)} exports in "
            "PostgreSQL (one in a hundred awaits its answer), spread evenly over the connections, each in its own "
            f"organization. Drained and polled is the first connection, over OpenSSH. Batches of "
            f"{settings.DELIVERY_BATCH_SIZE}. The largest rise: {of}."
        ),
        tables=tables,
        bars=[at_most("any figure with 1,000,000 exports against 1,000", 1.3, worst)],
        costs={"database kB an export": mb * 1000 / sizes[-1]},
    )


def _measured(grown: _Database, sizes: Sequence[int]) -> tuple[dict[str, list[float]], float]:
    found: dict[str, list[float]] = {}
    for size in sizes:
        grown.grow_to(size)
        for what, ms in grown.figures().items():
            found.setdefault(what, []).append(ms)
    return found, size_mb()


def _table(connections: int, sizes: Sequence[int], found: dict[str, list[float]]) -> Table:
    return Table(
        title=f"{connections:,} connections",
        columns=("ms", *(f"{size:,}" for size in sizes), "x"),
        rows=[(what, *map(number, series), number(series[-1] / series[0])) for what, series in found.items()],
    )


def _pending(connection: ERPConnection) -> QuerySet[ERPExport]:
    return ERPExport.objects.filter(connection=connection, status=ExportStatus.PENDING)


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000
