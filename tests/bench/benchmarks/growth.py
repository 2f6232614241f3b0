"""The same work in a small database and in a large one, with few connections and with many."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports import ack_poller, tasks
from exports.acks import schedule as poll_schedule
from exports.delivery import drain
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from tests.bench.bench import Bench
from tests.bench.benchmarks.acks import write_answers
from tests.bench.results import Result, Table, at_most, number, times
from tests.bench.site import tenants
from tests.bench.site.databases import fresh_database, size_mb, working_in
from tests.support import rows

EXPORTS = (1_000, 100_000, 1_000_000)
CONNECTIONS = (1, 100, 1_000)
FEW_EXPORTS, FEW_CONNECTIONS = (100, 300), (1, 3)
BATCH = 200
# Round by round, for the machine's own speed changes by more than the bar allows while a million rows are made.
ROUNDS = 9
DRAINS, PUSHES, PAGES = 3, 12, 5


class _Database:
    """One with so many connections and exports. One export in a hundred awaits its answer, and one of each connection:
    how many connections have to be asked is the same in all of them."""

    def __init__(self, bench: Bench, name: str, *, connections: int, exports: int) -> None:
        self.name = name
        self._bench = bench
        self._connections = tenants.connect(bench, name, organizations=connections)
        self._first = self._connections[0]
        user, token = tenants.somebody(self._first.organization)
        self._api = APIClient()
        self._api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        self._admin, self._operator = Client(), Client()
        self._admin.force_login(user)
        self._operator.force_login(User.objects.create_superuser("operator"))
        awaiting = max(exports // 100, len(self._connections))
        rows.add_exports(self._connections, exports - awaiting, ExportStatus.ACKED, lines=1)
        rows.add_exports(self._connections, awaiting, ExportStatus.SENT, lines=1)
        rows.tidy_up()

    def figures(self) -> dict[str, float]:
        """Milliseconds by what was done."""
        drains, polls = zip(*(self._drain_and_poll() for _ in range(self._bench.size(DRAINS, 1) + 1)), strict=True)
        return {
            "push endpoint": self._push(),
            f"drain of {BATCH}": statistics.median(drains[1:]),
            f"poll of {BATCH} answers": statistics.median(polls[1:]),
            "API, list of exports": self._page(self._api, reverse("export-list")),
            "admin, list of exports": self._page(self._admin, reverse("admin:exports_erpexport_changelist")),
            "the same, of all organizations": self._page(self._operator, reverse("admin:exports_erpexport_changelist")),
            "sweep": self._median(tasks.sweep, PAGES),
            "whom to poll": self._median(poll_schedule.due_for_polling, PAGES),
        }

    def _push(self) -> float:
        count = self._bench.size(PUSHES, 2)
        rows.add_approved([self._first], count, lines=1)
        orders = DraftOrder.objects.filter(organization=self._first.organization, status="APPROVED")
        series = [_ms(lambda order=order: self._push_one(order)) for order in orders.values_list("pk", flat=True)]  # type: ignore[misc]
        drain.drain(self._first.pk)
        return statistics.median(series)

    def _push_one(self, order: UUID) -> None:
        answer = self._api.post(reverse("draft-order-push-push", args=[order]))
        assert answer.status_code == 202, answer.content

    def _drain_and_poll(self) -> tuple[float, float]:
        rows.add_exports([self._first], BATCH, ExportStatus.PENDING)
        fresh = list(_pending(self._first).values_list("filename", flat=True))
        drained = _ms(lambda: drain.drain(self._first.pk))
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
    tables, worst, of, kb = [], 0.0, "", 0.0
    for connections in FEW_CONNECTIONS if bench.quick else CONNECTIONS:
        with ExitStack() as stack:
            databases = [_filled(stack, bench, connections, size) for size in sizes]
            found = _in_turn(bench, databases)
            kb = size_mb() * 1000 / sizes[-1]
        growth = {what: times(series[-1], series[0]) for what, series in found.items()}
        tables.append(_table(connections, sizes, found, growth))
        for what, rise in growth.items():
            if rise > worst:
                worst, of = rise, f"{what}, {connections:,} connections"
    return Result(
        told=(
            f"Median milliseconds, in one process, with {' / '.join(f'{size:,}' for size in sizes)} exports in "
            "PostgreSQL (one in a hundred awaits its answer), spread evenly over the connections, each in its own "
            "organization. The databases stand beside each other and are measured in turn, and the rise is taken "
            f"within a round. Drained and polled is the first connection, over OpenSSH. The largest rise: {of}."
        ),
        tables=tables,
        bars=[at_most("any figure with 1,000,000 exports against 1,000", 1.3, worst)],
        costs={"database kB an export": kb},
    )


def _filled(stack: ExitStack, bench: Bench, connections: int, exports: int) -> _Database:
    name = f"grown_{connections}_{exports}"
    stack.enter_context(fresh_database(name))
    return _Database(bench, name, connections=connections, exports=exports)


def _in_turn(bench: Bench, databases: Sequence[_Database]) -> dict[str, list[list[float]]]:
    """By what was done: a series for each database, with a figure for each round."""
    found: dict[str, list[list[float]]] = {}
    for _ in range(bench.size(ROUNDS, 1)):
        for n, database in enumerate(databases):
            with working_in(database.name):
                for what, ms in database.figures().items():
                    found.setdefault(what, [[] for _ in databases])[n].append(ms)
    return found


def _table(
    connections: int, sizes: Sequence[int], found: dict[str, list[list[float]]], growth: Mapping[str, float]
) -> Table:
    return Table(
        title=f"{connections:,} connections",
        columns=("ms", *(f"{size:,}" for size in sizes), "x"),
        rows=[
            (what, *(number(statistics.median(one)) for one in series), number(growth[what]))
            for what, series in found.items()
        ],
    )


def _pending(connection: ERPConnection) -> QuerySet[ERPExport]:
    return ERPExport.objects.filter(connection=connection, status=ExportStatus.PENDING)


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000
