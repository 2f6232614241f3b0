"""How often a batch waits for the other side, counted on the wire and by the clock."""

import time
from uuid import uuid4

from connectors.dropzones.drop import Drop, Parcel
from tests.bench.bench import Bench
from tests.bench.delay_proxy import delay_proxy
from tests.bench.drops import NoJournal, connection_config, dropzone_settings, random_documents
from tests.bench.results import Result, Table, at_most, number

DATABASE = False
FILES, SIZE = 500, 10_000
# Far above what a batch costs to make and to answer.
ROUND_TRIPS_S = (0.3, 0.6)


def run(bench: Bench) -> Result:
    (short, counted), (long, again) = (_batch(bench, round_trip_s) for round_trip_s in ROUND_TRIPS_S)
    by_clock = (long - short) / (ROUND_TRIPS_S[1] - ROUND_TRIPS_S[0])
    rows = [
        ("counted by the proxy", str(max(counted, again))),
        ("by the clock", number(by_clock)),
    ]
    return Result(
        told=(
            f"{FILES} files of {SIZE:,} bytes, staged, compared and published over a session that is open. The proxy "
            "numbers what passes: what a side sends after it has received something of round trip n belongs to n + 1. "
            "By the clock: the same batch at 300 and at 600 ms; the difference, divided by 300 ms. That finds the "
            "waits that the count might miss."
        ),
        tables=[Table(title=f"Round trips of a batch of {FILES}", columns=("how", "round trips"), rows=rows)],
        bars=[at_most("round trips for a batch of 500 files", 12, max(counted, again, by_clock), "")],
    )


def _batch(bench: Bench, round_trip_s: float) -> tuple[float, int]:
    """Seconds and round trips."""
    documents = random_documents(FILES, SIZE)
    folder = bench.new_folder()
    with delay_proxy(bench.sshd.port, round_trip_s) as proxy:
        settings = dropzone_settings(connection_config(bench.sshd, proxy.port, folder.name))
        with settings.open() as dropzone:
            dropzone.stat([folder.name])
            before, started = proxy.round_trips, time.perf_counter()
            parcels = [Parcel(export_id=uuid4(), document=document) for document in documents]
            Drop(dropzone, settings, NoJournal()).deliver(parcels)
            took, counted = time.perf_counter() - started, proxy.round_trips - before
    assert len(list(folder.iterdir())) == FILES
    return took, counted
