"""The push endpoint by itself, against a view that does nothing but find out who asks."""

from collections.abc import Sequence
from uuid import UUID

from orderflow.orders.models import DraftOrder
from tests.bench.bench import Bench
from tests.bench.results import Result, Table, at_most, number, percentile
from tests.bench.site import services, tenants
from tests.bench.site.web import Client, client
from tests.support import rows
from tests.support.processes import CPUClock

WARM_UP = 20


def run(bench: Bench) -> Result:
    count, clocked = bench.size(500, 20), bench.size(200, 20)
    (connection,) = tenants.connect(bench, "endpoint")
    rows.add_approved([connection], WARM_UP + count + clocked)
    rows.tidy_up()
    orders = list(DraftOrder.objects.filter(organization=connection.organization).values_list("pk", flat=True))
    _, token = tenants.somebody(connection.organization)
    with client(bench, token) as caller:
        pairs = [(caller.empty(), caller.push(order)[0]) for order in orders[: WARM_UP + count]][WARM_UP:]
        clock = CPUClock({"web": caller.pid, **services.servers(bench)})
        cpu = _cpu_ms(caller, orders[WARM_UP + count :], clock)
    empty, pushes = zip(*pairs, strict=True)
    rows_of = [("empty view", empty), ("push", pushes)]
    return Result(
        told=(
            f"{count} calls of each in turn, one client with one connection, over HTTP to gunicorn with 4 threads; "
            "PostgreSQL and Redis as for the whole path; no worker runs. The empty view is an authenticated one of "
            "the REST framework, with the product's middleware and token."
        ),
        tables=[
            Table(
                title="One call",
                columns=("view", "p50 ms", "p95 ms", "min", "max"),
                rows=[(view, *_spread(series)) for view, series in rows_of],
            ),
            Table(title="CPU of a push, ms", columns=tuple(cpu), rows=[tuple(map(number, cpu.values()))]),
        ],
        bars=[
            at_most(
                "push endpoint alone, p95, against an empty authenticated view",
                3,
                percentile(pushes, 95) / percentile(empty, 95),
            )
        ],
        costs={f"push {name}": value for name, value in cpu.items()},
    )


def _spread(series: Sequence[float]) -> tuple[str, ...]:
    return tuple(map(number, (percentile(series, 50), percentile(series, 95), min(series), max(series))))


def _cpu_ms(caller: Client, orders: Sequence[UUID], clock: CPUClock) -> dict[str, float]:
    for order in orders:
        caller.push(order)
    return {name: seconds * 1000 / len(orders) for name, seconds in clock.spent_s().items() if name != "OpenSSH"}
