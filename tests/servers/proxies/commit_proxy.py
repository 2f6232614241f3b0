"""A TCP proxy in front of PostgreSQL that breaks the connection at a COMMIT: before the server has it, or when only the
client has yet to hear of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

COMMIT = b"COMMIT\0"


class Lost(StrEnum):
    REQUEST = "request"
    ANSWER = "answer"


class CommitProxy:
    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left: int | None = None
        self._lost = Lost.ANSWER
        self._lock = threading.Lock()

    def lose(self, number: int, what: Lost) -> None:
        """Of the next COMMITs the one with this number, from 1."""
        with self._lock:
            self._left, self._lost = number, what

    def lose_nothing(self) -> bool:
        """True when something had been lost."""
        with self._lock:
            lost, self._left = self._left == 0, None
        return lost

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for relay in (self._requests, self._answers):
                    threading.Thread(target=relay, args=(client, server), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if COMMIT not in data or not self._is_next():
                    server.sendall(data)
                    continue
                # Nothing that comes from now on is for the client.
                client.shutdown(socket.SHUT_RDWR)
                if self._lost == Lost.ANSWER:
                    server.sendall(data)
                break
        with suppress(OSError):
            # What was sent is carried out; then the server finds nobody there.
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with server, client, suppress(OSError):
            while data := server.recv(65536):
                with suppress(OSError):
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def _is_next(self) -> bool:
        with self._lock:
            if not self._left:
                return False
            self._left -= 1
            return self._left == 0


@contextmanager
def commit_proxy(server_port: int) -> Iterator[CommitProxy]:
    proxy = CommitProxy(server_port)
    thread = threading.Thread(target=proxy.serve, name="commit-proxy", daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
