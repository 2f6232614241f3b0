"""A TCP proxy for a network that splits: it holds back every byte of both directions, and delivers them when it heals.

What a client sent arrives even if the client has closed its socket since, as the packets of a former lease holder do.
It splits for everybody, and then a new connection is accepted and reaches the server when it heals; or for those who
are connected by then, as between one of two machines and the server.
"""

import asyncio
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


class SplitProxy:
    def __init__(self, port: int, pipe: Connection) -> None:
        self.port = port
        self._pipe = pipe

    def split(self, *, everybody: bool = True) -> None:
        self._pipe.send("all" if everybody else "connected")
        self._pipe.recv()

    def heal(self) -> int:
        """Bytes that clients had sent during the split, and that arrive now."""
        self._pipe.send("")
        late: int = self._pipe.recv()
        return late


@contextmanager
def split_proxy(port: int) -> Iterator[SplitProxy]:
    """In front of 127.0.0.1:`port`, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_main, args=(port, its), daemon=True)
    process.start()
    # With this end open, a proxy that dies at its start would be waited for.
    its.close()
    try:
        yield SplitProxy(mine.recv(), mine)
    finally:
        process.kill()
        process.join()


def _main(port: int, pipe: Connection) -> None:
    asyncio.run(_serve(port, pipe))


async def _serve(port: int, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    network = _Network()

    def obey() -> None:
        try:
            split = pipe.recv()
        except EOFError:
            loop.stop()
            return
        pipe.send(network.split(split) if split else network.heal())

    loop.add_reader(pipe.fileno(), obey)
    server = await loop.create_server(lambda: _Client(network, port), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Network:
    def __init__(self) -> None:
        self._routes: list[_Route] = []
        self._new_are_split = False

    def route(self) -> "_Route":
        self._routes.append(_Route(is_split=self._new_are_split))
        return self._routes[-1]

    def split(self, who: str) -> int:
        self._new_are_split = who == "all"
        for route in self._routes:
            route.is_split = True
        return 0

    def heal(self) -> int:
        self._new_are_split = False
        return sum(route.heal() for route in self._routes)


class _Route:
    """Carries out in order what the ends of a connection do to each other; at once, or when it heals."""

    def __init__(self, *, is_split: bool) -> None:
        self.is_split = is_split
        self._waiting: deque[Callable[[], None]] = deque()
        self._late = 0

    def carry(self, act: Callable[[], None], size: int = 0) -> None:
        if self.is_split:
            self._waiting.append(act)
            self._late += size
        else:
            act()

    def heal(self) -> int:
        self.is_split = False
        late, self._late = self._late, 0
        while self._waiting:
            self._waiting.popleft()()
        return late


class _End(asyncio.Protocol):
    """One end of a connection. `ended`: it sends nothing more."""

    def __init__(self, route: _Route) -> None:
        self.route = route
        self.other: _End | None = None
        self.ended = False
        self.transport: Any = None
        # For this end, before there is a transport.
        self._early: list[bytes | None] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        early, self._early = self._early, []
        for data in early:
            self.take(data)

    def data_received(self, data: bytes) -> None:
        self.route.carry(lambda: self._to_other(data), len(data) if isinstance(self, _Client) else 0)

    def eof_received(self) -> bool:
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._end()

    def take(self, data: bytes | None) -> None:
        """None: the other end sends nothing more. What it sent before is delivered."""
        if self.transport is None:
            self._early.append(data)
        elif self.transport.is_closing():
            return
        elif data is not None:
            self.transport.write(data)
        elif self.ended:
            self.transport.close()
        else:
            # Half of it only: who closes with answers unread discards what the server has yet to read.
            self.transport.write_eof()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.route.carry(lambda: self._to_other(None))

    def _to_other(self, data: bytes | None) -> None:
        if self.other:
            self.other.take(data)
            if data is None and self.other.ended and self.transport:
                self.transport.close()


class _Client(_End):
    def __init__(self, network: _Network, port: int) -> None:
        super().__init__(network.route())
        self._port = port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.other = _End(self.route)
        self.other.other = self
        self.route.carry(self._connect)

    def _connect(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connected())

    async def _connected(self) -> None:
        server = self.other
        assert server
        try:
            await asyncio.get_running_loop().create_connection(lambda: server, "127.0.0.1", self._port)
        except OSError:
            self.transport.close()
