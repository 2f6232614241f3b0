"""The memory of one worker that drains a great many orders."""

import time

from exports.lanes import dispatch
from exports.models import ERPExport
from exports.models.status import ExportStatus
from tests.bench.bench import Bench, until
from tests.bench.results import Bar, Result, Table, at_most, number
from tests.bench.site import services, tenants
from tests.support import rows
from tests.support.processes import family, resident_mb

POINTS = 10
# Between a tenth of the orders and all of them.
FLAT = 1.1
DRAINED_WITHIN_S = 600


def run(bench: Bench) -> Result:
    count = bench.size(50_000, 500)
    (connection,) = tenants.connect(bench, "memory")
    rows.add_exports([connection], count, ExportStatus.PENDING)
    rows.tidy_up()
    with services.workers(bench, 1) as workers:
        (worker,) = workers.values()
        started = time.perf_counter()
        dispatch.wake(connection.pk)
        curve = _curve(worker, count)
        took = time.perf_counter() - started
    assert tenants.empty([tenants.dropzone_of(bench, connection)]) == count
    sizes = [size for _, size in curve]
    growth = sizes[-1] / sizes[1]
    return Result(
        told=(
            f"{count:,} orders of 3 lines over one connection by one worker, in {took:.0f} s. Resident memory of its "
            "process that does the work; its parent, which only starts it, has about as much again, mostly shared."
        ),
        tables=[
            Table(
                title="Resident memory",
                columns=("orders sent", "MB"),
                rows=[(f"{sent:,}", number(size)) for sent, size in curve],
            )
        ],
        bars=[
            at_most("memory of a worker draining 50,000 orders, highest", 300, max(sizes), "MB"),
            Bar(
                figure="the same, from the first tenth to the last",
                bar=f"flat: at most {FLAT:g} x",
                value=f"{growth:.2f} x",
                met=growth <= FLAT,
            ),
        ],
        costs={"worker MB": max(sizes)},
    )


def _curve(worker: int, count: int) -> list[tuple[int, float]]:
    """Orders sent and megabytes, at the start and at every tenth."""
    child = family(worker)[-1]
    pending = ERPExport.objects.filter(status=ExportStatus.PENDING)
    points = [(0, resident_mb(child))]

    def look() -> bool:
        sent = count - pending.count()
        if sent >= len(points) * count / POINTS:
            points.append((sent, resident_mb(child)))
        return len(points) > POINTS

    until(look, within_s=DRAINED_WITHIN_S, every_s=0.05)
    return points
