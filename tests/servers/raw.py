"""Something on a port that is no SSH server, or stops being one in the middle of its first words."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Talk = Callable[[socket.socket], Any]


@contextlib.contextmanager
def raw_server(talk: Talk) -> Iterator[int]:
    """The port, where everybody who connects gets `talk`, at the same time."""
    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, talk, clients), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for client in clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)


def drip(client: socket.socket) -> None:
    """A banner that never comes to its end."""
    while True:
        client.sendall(b"S")
        time.sleep(0.1)


def say_nothing(client: socket.socket) -> None:
    while client.recv(1000):
        pass


def greet_only(client: socket.socket) -> None:
    """The key exchange never begins."""
    client.sendall(b"SSH-2.0-Silent_1.0\r\n")
    say_nothing(client)


def speak_http(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 400 Bad\x1b[31m Request\r\n\r\n")


def _serve(listener: socket.socket, talk: Talk, clients: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            clients.append(client)
            threading.Thread(target=_talk, args=(client, talk), daemon=True).start()


def _talk(client: socket.socket, talk: Talk) -> None:
    with client, contextlib.suppress(OSError):
        talk(client)
