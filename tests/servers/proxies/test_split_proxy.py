"""That the network of the trials really splits, and loses nothing when it heals."""

import select
import socket
from collections.abc import Iterator

import pytest

from tests.servers.proxies.split_proxy import SplitProxy, split_proxy


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


@pytest.fixture
def proxy(listener: socket.socket) -> Iterator[SplitProxy]:
    with split_proxy(listener.getsockname()[1]) as proxy:
        yield proxy


def test_what_a_client_sent_arrives_after_it_has_closed(listener: socket.socket, proxy: SplitProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
        client.sendall(b"before")
        server, _ = listener.accept()
        assert server.recv(100) == b"before"
        proxy.split()
        client.sendall(b"during")
    with server:
        assert not select.select([server], [], [], 0.2)[0]
        assert proxy.heal() == len(b"during")
        server.settimeout(10)
        assert (server.recv(100), server.recv(100)) == (b"during", b"")


def test_answers_and_new_connections_wait_for_the_healing(listener: socket.socket, proxy: SplitProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
        server, _ = listener.accept()
        proxy.split()
        with server, socket.create_connection(("127.0.0.1", proxy.port), 10) as late:
            server.sendall(b"answer")
            late.sendall(b"late")
            assert not select.select([client, listener], [], [], 0.2)[0]
            proxy.heal()
            assert client.recv(100) == b"answer"
            with listener.accept()[0] as second:
                assert second.recv(100) == b"late"
        assert client.recv(100) == b""


def test_a_split_for_those_who_are_connected_lets_others_through(listener: socket.socket, proxy: SplitProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as cut_off:
        first, _ = listener.accept()
        proxy.split(everybody=False)
        cut_off.sendall(b"late")
        with first, socket.create_connection(("127.0.0.1", proxy.port), 10) as other, listener.accept()[0] as second:
            other.sendall(b"now")
            assert second.recv(100) == b"now"
            assert not select.select([first], [], [], 0.2)[0]
            assert proxy.heal() == len(b"late")
            assert first.recv(100) == b"late"
