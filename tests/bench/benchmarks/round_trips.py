"""How often we wait for the other side, counted on the wire and by the clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from connectors.dropzones.backends.base import Dropzone
from connectors.dropzones.settings import DropzoneSettings
from tests.bench.bench import Bench
from tests.bench.drops import connection_config, deliver, dropzone_settings, random_documents
from tests.bench.results import Result, Table, at_most, number
from tests.servers.proxies.delay_proxy import DelayProxy, delay_proxy

SIZE = 10_000
SMALL, LARGE = 1, 500
CONNECTING, LISTING = "connecting", "listing an empty folder"
# Far above what the steps cost to make and to answer.
ROUND_TRIPS_S = (0.3, 0.6)


@dataclass(frozen=True, kw_only=True)
class _Waited:
    seconds: float
    counted: int


def run(bench: Bench) -> Result:
    short, long = (_steps(bench, round_trip_s) for round_trip_s in ROUND_TRIPS_S)
    difference_s = ROUND_TRIPS_S[1] - ROUND_TRIPS_S[0]
    by_clock = {step: (long[step].seconds - short[step].seconds) / difference_s for step in short}
    counted = {step: max(short[step].counted, long[step].counted) for step in short}
    return Result(
        told=(
            f"Files of {SIZE:,} bytes, staged, compared and published over a session that is open. The proxy numbers "
            "what passes: what a side sends after it has received something of round trip n belongs to n + 1. By the "
            "clock: the same at 300 and at 600 ms; the difference, divided by 300 ms. That finds the waits that the "
            "count might miss. TCP's own handshake, one more for connecting, ends at the proxy."
        ),
        tables=[
            Table(
                title="Round trips",
                columns=("step", "counted by the proxy", "by the clock"),
                rows=[(step, str(counted[step]), number(by_clock[step])) for step in short],
            )
        ],
        bars=[
            at_most(
                "round trips for a batch of 500 files", 12, max(counted[_batch(LARGE)], by_clock[_batch(LARGE)]), ""
            )
        ],
        costs={f"round trips of {step}": trips for step, trips in by_clock.items()},
    )


def _steps(bench: Bench, round_trip_s: float) -> dict[str, _Waited]:
    folder = bench.new_folder()
    with delay_proxy(bench.sshd.port, round_trip_s) as proxy:
        settings = dropzone_settings(connection_config(bench.sshd, proxy.port, folder.name))
        before = time.perf_counter()
        with settings.open() as dropzone:
            connecting = _Waited(seconds=time.perf_counter() - before, counted=proxy.round_trips)
            return {
                CONNECTING: connecting,
                LISTING: _waited(proxy, lambda: list(dropzone.list(folder.name))),
                _batch(SMALL): _waited(proxy, lambda: _deliver(dropzone, settings, folder, SMALL)),
                _batch(LARGE): _waited(proxy, lambda: _deliver(dropzone, settings, folder, LARGE)),
            }


def _waited(proxy: DelayProxy, act: Callable[[], object]) -> _Waited:
    before, started = proxy.round_trips, time.perf_counter()
    act()
    return _Waited(seconds=time.perf_counter() - started, counted=proxy.round_trips - before)


def _deliver(dropzone: Dropzone, settings: DropzoneSettings, folder: Path, count: int) -> None:
    deliver(dropzone, settings, random_documents(count, SIZE, f"{count}-files"))
    assert len(list(folder.glob(f"{count}-files*.json"))) == count


def _batch(count: int) -> str:
    return f"a batch of {count}"
