"""A Redis server of its own for a test session, on a free loopback port."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.missing import program
from tests.servers.ports import free_port


@contextmanager
def redis() -> Iterator[str]:
    """The URL of its database 0."""
    server = program("redis-server", package="redis-server")
    folder = tempfile.mkdtemp(prefix="orderflow-redis-")
    port = free_port()
    command = [str(server), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until_listening(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_listening(port: int, timeout_s: float = 15) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
