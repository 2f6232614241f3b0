"""A Redis server of its own for a test session, on a free loopback port."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.servers.missing import program
from tests.servers.ports import free_port


class RedisServer:
    """`url` is of its database 0. It keeps nothing on disk. `certificate` is a file with the key as well: TLS only."""

    def __init__(self, folder: str, *, certificate: Path | None = None, password: str = "") -> None:
        self._server = program("redis-server", package="redis-server")
        self._folder = folder
        self._port = free_port()
        login = f":{quote(password, safe='')}@" if password else ""
        self.url = f"{'rediss' if certificate else 'redis'}://{login}127.0.0.1:{self._port}/0"
        self._options = ["--requirepass", password] if password else []
        self._listen = ["--port", str(self._port)]
        if certificate:
            files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)]
            self._listen = ["--port", "0", "--tls-port", str(self._port), "--tls-auth-clients", "no", *files]

    def start(self) -> None:
        command = [str(self._server), *self._listen, *self._options, "--bind", "127.0.0.1", "--dir", self._folder]
        self._process = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
        wait_until_listening(self._port)

    def crash(self) -> None:
        """Connections break off, and all that it held is gone."""
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def redis() -> Iterator[str]:
    """The URL of its database 0."""
    with redis_server() as server:
        yield server.url


@contextmanager
def redis_server(*, certificate: Path | None = None, password: str = "") -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="orderflow-redis-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(folder, certificate=certificate, password=password)
        try:
            server.start()
            yield server
        finally:
            server.stop()


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
