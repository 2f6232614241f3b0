"""From the cost of a unit of work to the needs of an installation: the tables of docs/measurements/scaling.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.report import Kept, titled, write_between_markers
from tests.bench.results import Table, number

NEEDED = ("round_trips", "whole_path", "push_endpoint", "acks", "memory", "growth", "costs")

# Assumed, not measured: what an installation is like. docs/measurements/scaling.md says so.
WORKING_SECONDS_A_YEAR = 250 * 10 * 3600
BUSIEST_TIMES_AVERAGE = 5
ROUND_TRIP_S = 0.04
POLL_EVERY_S = 60
# A processor that is busier than this makes people wait.
LOAD = 0.6


@dataclass(frozen=True, kw_only=True)
class Size:
    exports_a_year: int
    connections: int

    @property
    def busiest_per_s(self) -> float:
        return self.exports_a_year / WORKING_SECONDS_A_YEAR * BUSIEST_TIMES_AVERAGE

    @property
    def polls_per_s(self) -> float:
        """Every connection awaits answers all the time: the worst case."""
        return self.connections / POLL_EVERY_S


SIZES = (
    Size(exports_a_year=100_000, connections=10),
    Size(exports_a_year=1_000_000, connections=100),
    Size(exports_a_year=10_000_000, connections=1_000),
    Size(exports_a_year=100_000_000, connections=10_000),
)


def write(page: Path, kept: Kept) -> None:
    """Once everything that it reckons with has been measured."""
    if kept.keys() >= set(NEEDED):
        write_between_markers(page, map(titled, tables(kept)))


def tables(kept: Kept) -> Iterator[Table]:
    costs = Costs({name: value for found in kept.values() for name, value in found["costs"].items()})
    yield _constants(costs)
    yield _one_worker(costs)
    yield Table(
        title="Sizes, in their busiest hour",
        columns=("", *(f"{size.exports_a_year:,} a year, {size.connections:,} connections" for size in SIZES)),
        rows=[(what, *(number(need(size)) for size in SIZES)) for what, need in _needs(costs).items()],
    )


class Costs:
    """Seconds of one unit. An export that comes alone, and a poll over a new session, are the dear cases; both are what
    many connections with few orders each come to."""

    def __init__(self, measured: Mapping[str, float]) -> None:
        def seconds(name: str) -> float:
            return measured[name] / 1000

        connecting = seconds("connecting: OrderFlow")
        self.push_web = seconds("push web")
        self.push_database = seconds("push PostgreSQL")
        self.export_worker = seconds("whole path worker")
        self.export_database = seconds("whole path PostgreSQL")
        self.export_server = seconds("whole path OpenSSH")
        self.alone_worker = connecting + seconds("export alone in its batch: OrderFlow")
        self.alone_database = seconds("export alone in its batch: PostgreSQL")
        self.answer_worker = seconds("answer worker")
        self.answer_database = seconds("answer PostgreSQL")
        self.poll_worker = connecting + seconds("poll that finds nothing: OrderFlow")
        self.poll_database = seconds("poll that finds nothing: PostgreSQL")
        self.connecting = connecting
        self.connecting_trips = measured["round trips of connecting"] + 1
        self.alone_trips = measured["round trips of a batch of 1"]
        self.listing_trips = measured["round trips of listing an empty folder"]
        self.worker_mb = measured["worker MB"]
        self.database_kb = measured["database kB an export"]


def _constants(costs: Costs) -> Table:
    ms = {
        "push: web process": (costs.push_web, "push_endpoint"),
        "push: PostgreSQL": (costs.push_database, "push_endpoint"),
        "export in a full batch: worker": (costs.export_worker, "whole_path"),
        "export in a full batch: PostgreSQL": (costs.export_database, "whole_path"),
        "export alone, over a new session: worker": (costs.alone_worker, "costs"),
        "export alone: PostgreSQL": (costs.alone_database, "costs"),
        "answer: worker": (costs.answer_worker, "acks"),
        "answer: PostgreSQL": (costs.answer_database, "acks"),
        "poll that finds nothing, over a new session: worker": (costs.poll_worker, "costs"),
        "poll that finds nothing: PostgreSQL": (costs.poll_database, "costs"),
        "connecting, of that": (costs.connecting, "costs"),
    }
    rows = [(what, f"{number(seconds * 1000)} ms CPU", f"`{source}`") for what, (seconds, source) in ms.items()]
    rows += [
        ("round trips of connecting", number(costs.connecting_trips), "`round_trips`, and TCP's own"),
        ("round trips of a batch of 1", number(costs.alone_trips), "`round_trips`"),
        ("round trips of a listing", number(costs.listing_trips), "`round_trips`"),
        ("a worker process", f"{number(costs.worker_mb)} MB", "`memory`"),
        (
            "an export in the database with its order of one line, history, answer and indexes",
            f"{number(costs.database_kb)} kB",
            "`growth`",
        ),
    ]
    return Table(title="Measured", columns=("what", "cost", "benchmark"), rows=rows)


def _one_worker(costs: Costs) -> Table:
    rows = [
        ("one web process: pushes", 1 / costs.push_web),
        ("one worker process: exports in full batches", 1 / costs.export_worker),
        ("one worker process: exports that come alone, 40 ms away", 1 / _alone_s(costs)),
        ("one worker process: answers in full batches", 1 / costs.answer_worker),
        ("one worker process: polls that find nothing, 40 ms away", 1 / _poll_s(costs)),
        ("PostgreSQL, one processor: push, export and answer of an order", 1 / _order_in_database_s(costs)),
    ]
    return Table(title="What one carries at most", columns=("", "a second"), rows=[(w, number(v)) for w, v in rows])


def _needs(costs: Costs) -> dict[str, Any]:
    return {
        "exports a second": lambda size: size.busiest_per_s,
        "polls a second": lambda size: size.polls_per_s,
        "web: processors": lambda size: size.busiest_per_s * costs.push_web / LOAD,
        "workers, delivery: processors": lambda size: size.busiest_per_s * costs.alone_worker / LOAD,
        "workers, delivery: at once": lambda size: size.busiest_per_s * _alone_s(costs) / LOAD,
        "workers, answers: processors": lambda size: (
            (size.polls_per_s * costs.poll_worker + size.busiest_per_s * costs.answer_worker) / LOAD
        ),
        "workers, answers: at once": lambda size: (
            (size.polls_per_s * _poll_s(costs) + size.busiest_per_s * costs.answer_worker) / LOAD
        ),
        "their memory, a process each, GB": lambda size: (
            (size.busiest_per_s * _alone_s(costs) + size.polls_per_s * _poll_s(costs)) / LOAD * costs.worker_mb / 1000
        ),
        "PostgreSQL: processors": lambda size: (
            (size.busiest_per_s * _order_in_database_s(costs, alone=True) + size.polls_per_s * costs.poll_database)
            / LOAD
        ),
        "database: GB a year": lambda size: size.exports_a_year * costs.database_kb / 1e6,
    }


def _alone_s(costs: Costs) -> float:
    """How long an export that comes alone keeps a worker that has no session to its server yet."""
    return costs.alone_worker + (costs.connecting_trips + costs.alone_trips) * ROUND_TRIP_S


def _poll_s(costs: Costs) -> float:
    return costs.poll_worker + (costs.connecting_trips + costs.listing_trips) * ROUND_TRIP_S


def _order_in_database_s(costs: Costs, *, alone: bool = False) -> float:
    export = costs.alone_database if alone else costs.export_database
    return costs.push_database + export + costs.answer_database
