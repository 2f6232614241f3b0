"""That the benchmarks run and their instruments measure; how fast anything is, no test says."""

import socket
import subprocess
import sys
import threading
import time

from tests.bench.bench import ROOT
from tests.servers.proxies.delay_proxy import delay_proxy

ROUND_TRIP_S = 0.1


def test_the_smallest_benchmark_runs_and_tells_whether_its_bar_is_met() -> None:
    command = [sys.executable, "-m", "tests.bench", "document", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "500-line order" in done.stdout


def test_an_unknown_benchmark_is_named() -> None:
    command = [sys.executable, "-m", "tests.bench", "speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "no benchmark speed" in done.stderr


def test_the_proxy_delays_each_way_counts_round_trips_and_lets_much_pass_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        with (
            delay_proxy(server.getsockname()[1], ROUND_TRIP_S) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port)) as client,
        ):
            started = time.monotonic()
            for _ in range(3):
                client.sendall(b"x")
                assert client.recv(1) == b"x"
            assert time.monotonic() - started >= 3 * ROUND_TRIP_S
            assert proxy.round_trips == 3
            sent = bytes(range(256)) * 20_000
            threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
            assert _received(client, len(sent)) == sent


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(1024 * 1024):
            connection.sendall(data)


def _received(client: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        received += client.recv(1024 * 1024)
    return bytes(received)
