"""One order that is far larger than others, over a long way."""

from tests.bench.bench import Bench
from tests.bench.drops import connection_config, drop, dropzone_settings, random_documents, write_locally
from tests.bench.peers import Place, sftp_batch
from tests.bench.results import Result, at_least, compared, in_turn, times
from tests.servers.proxies.delay_proxy import delay_proxy

SIZE = 10_000_000
ROUND_TRIP_S = 0.04


def run(bench: Bench) -> Result:
    documents = random_documents(1, SIZE)
    files = write_locally(documents, bench.folder / "large")
    with delay_proxy(bench.sshd.port, ROUND_TRIP_S) as proxy:

        def theirs() -> float:
            place = Place(server=bench.sshd, port=proxy.port, folder=bench.new_folder().name, files=files)
            return SIZE / 1e6 * sftp_batch(place)

        def ours() -> float:
            folder = bench.new_folder()
            settings = dropzone_settings(connection_config(bench.sshd, proxy.port, folder.name))
            rate = SIZE / 1e6 / drop(settings, documents, batch=1)
            assert (folder / documents[0].filename).read_bytes() == documents[0].content
            return rate

        figures = in_turn(bench.rounds, {"sftp -b": theirs, "OrderFlow": ours})
    return Result(
        told="10 MB under a temporary name, size compared, renamed; 40 ms round trip, connecting left out.",
        tables=[compared("One order of 10 MB", "MB/s", figures, peer="sftp -b")],
        bars=[
            at_least("10 MB order over 40 ms, against `sftp` put", 1, times(figures["OrderFlow"], figures["sftp -b"]))
        ],
    )
