"""One push in an idle system: from the HTTP request to the file under its final name."""

import time
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from connectors.models import ERPConnection
from exports.models import ERPExport, Lane
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from tests.bench.bench import BEAT, Bench, until
from tests.bench.results import Result, Table, at_most, number, percentile
from tests.bench.site import services, tenants
from tests.bench.site.web import Client, client
from tests.support import rows

WARM_UP = 5
WITHIN_S = 30


def run(bench: Bench) -> Result:
    count = bench.size(100, 5)
    (connection,) = tenants.connect(bench, "single")
    rows.add_approved([connection], count + WARM_UP)
    orders = DraftOrder.objects.filter(organization=connection.organization).values_list("pk", flat=True)
    with ExitStack() as stack:
        stack.enter_context(services.workers(bench, 2))
        stack.enter_context(bench.running(*BEAT, ready=""))
        _, token = tenants.somebody(connection.organization)
        caller = stack.enter_context(client(bench, token))
        place = tenants.dropzone_of(bench, connection) / "in"
        times = [_push(caller, order, place, connection) for order in orders][WARM_UP:]
    half, most = percentile(times, 50), percentile(times, 95)
    row = tuple(map(number, (half, most, min(times), max(times))))
    return Result(
        told=(
            f"{count} pushes, each into an idle system: web, two workers and beat running, the last export SENT and "
            "its lane given back. The clock runs from the request until the file has its final name; looked for every "
            "millisecond. 0 ms round trip."
        ),
        tables=[Table(title="One push", columns=("p50 ms", "p95 ms", "min", "max"), rows=[row])],
        bars=[
            at_most("one push in an idle system, p50", 150, half, "ms"),
            at_most("one push in an idle system, p95", 400, most, "ms"),
        ],
    )


def _push(caller: Client, order_id: UUID, place: Path, connection: ERPConnection) -> float:
    started = time.perf_counter()
    caller.push(order_id)
    until(lambda: any(place.glob("*.json")), within_s=WITHIN_S, every_s=0.001)
    took = (time.perf_counter() - started) * 1000
    _wait_until_idle(connection)
    tenants.empty([place.parent])
    return took


def _wait_until_idle(connection: ERPConnection) -> None:
    pending = ERPExport.objects.filter(connection=connection, status=ExportStatus.PENDING)
    busy = Lane.objects.filter(connection=connection, leased_until__isnull=False)
    until(lambda: not pending.exists() and not busy.exists(), within_s=WITHIN_S, every_s=0.01)
    time.sleep(0.1)
