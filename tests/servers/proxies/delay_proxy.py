"""A TCP proxy that keeps every byte back for half a round trip, in both directions, and lets any number pass.

It counts round trips too: what a client sends after it has received something of the n-th belongs to the next one, and
what the server answers to that belongs to that one as well. With a delay far above what an answer costs to make, the
number on the last byte is how often somebody waited for the other side.
"""

import asyncio
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_int
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DelayProxy:
    port: int
    count: c_int

    @property
    def round_trips(self) -> int:
        """Of the connection that received something last, since it began."""
        return self.count.value


@contextmanager
def delay_proxy(port: int, round_trip_s: float) -> Iterator[DelayProxy]:
    """In a process of its own, so that it takes no time from who is measured."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    count = context.RawValue("i", 0)
    process = context.Process(target=_main, args=(port, round_trip_s / 2, its, count), daemon=True)
    process.start()
    # With this end open, a proxy that dies at its start would be waited for.
    its.close()
    try:
        yield DelayProxy(port=mine.recv(), count=count)
    finally:
        process.kill()
        process.join()


def _main(port: int, delay_s: float, pipe: Connection, count: c_int) -> None:
    asyncio.run(_serve(port, delay_s, pipe, count))


async def _serve(port: int, delay_s: float, pipe: Connection, count: c_int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(port, delay_s, count), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Side(asyncio.Protocol):
    """One end of a connection. What comes in leaves at the other end `delay_s` later, in order."""

    def __init__(self, delay_s: float) -> None:
        self.other: _Side | None = None
        # The round trip that this end has heard of.
        self.round_trip = 0
        self._delay_s = delay_s
        self._transport: Any = None
        self._waiting: deque[Callable[[_Side], None]] = deque()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        number = self.numbered()
        self._later(lambda other: other.take(data, number))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._later(lambda other: other.close())

    def numbered(self) -> int:
        return self.round_trip

    def take(self, data: bytes, round_trip: int) -> None:
        self.round_trip = max(self.round_trip, round_trip)
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()

    def _later(self, act: "Callable[[_Side], None]") -> None:
        self._waiting.append(act)
        asyncio.get_running_loop().call_later(self._delay_s, self._act)

    def _act(self) -> None:
        # In order, however the loop orders what is due at the same time.
        act = self._waiting.popleft()
        if self.other:
            act(self.other)


class _Client(_Side):
    def __init__(self, port: int, delay_s: float, count: c_int) -> None:
        super().__init__(delay_s)
        self._port = port
        self._count = count
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.pause_reading()
        self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        server = _Side(self._delay_s)
        server.other = self
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: server, "127.0.0.1", self._port)
        self.other = server
        self._transport.resume_reading()

    def numbered(self) -> int:
        return self.round_trip + 1

    def take(self, data: bytes, round_trip: int) -> None:
        # Before the client can have it: who has the answer may ask for the count.
        self._count.value = max(self.round_trip, round_trip)
        super().take(data, round_trip)
