"""Rendering: an order into the bytes that leave, checked against the schema, hashed."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from django.core.files.storage import storages

from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.ports import ExportAttempt
from tests.bench.bench import Bench
from tests.bench.results import Result, Table, at_most, percentile, spread
from tests.connectors.sales_orders import LINE, ORDER

LINES = (1, 3, 35, 500, 10_000)
JUDGED = 500


def run(bench: Bench) -> Result:
    connector = DropzoneJsonV1Connector(storages["exports"])
    attempt = ExportAttempt(export_id=uuid4(), created_at=datetime.now(UTC))
    rows, medians = [], {}
    for count in LINES:
        line_numbers = range(1, count + 1)
        lines = tuple(replace(LINE, line_no=n, qty=Decimal(n), description=f"Article {n}") for n in line_numbers)
        order = replace(ORDER, lines=lines)
        size = len(connector.render(order, attempt).content)
        series = _milliseconds(lambda order=order: connector.render(order, attempt), bench.size(100, 5))  # type: ignore[misc]
        medians[count] = percentile(series, 50)
        rows.append((f"{count:,}", f"{size:,}", *spread(series)))
    return Result(
        told="Rendered, checked against the schema and hashed with SHA-256, in one thread.",
        tables=[
            Table(title="One document", columns=("lines", "bytes", "median ms", "min", "max"), rows=rows),
        ],
        bars=[at_most("500-line order: render + check + hash", 3, medians[JUDGED], "ms")],
        costs={"document of 3 lines": medians[3], "document of 35 lines": medians[35]},
    )


def _milliseconds(act: Callable[[], object], repeat: int) -> list[float]:
    series = []
    for _ in range(repeat):
        started = time.perf_counter()
        act()
        series.append((time.perf_counter() - started) * 1000)
    return series
