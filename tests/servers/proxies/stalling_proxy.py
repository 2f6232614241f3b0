"""A TCP proxy in front of a real server that lets so many bytes of its answers pass, and then hangs or drips."""

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from ctypes import c_int
from dataclasses import dataclass
from multiprocessing.connection import Connection

CHUNK = 65536


@dataclass(kw_only=True)
class Stalling:
    """`allow` bytes of an answer pass on each connection; after them one every `drip_s`, or none. `passed` is how many
    did on the connection that was made last. `upstream` is the real server's port; without one, nobody answers, or
    somebody does in letters."""

    upstream: int | None
    allow: float = float("inf")
    drip_s: float | None = None
    port: int = 0
    passed: int = 0


async def listen(stalling: Stalling, count: c_int) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count.value += 1
        try:
            await _serve(stalling, reader, writer)
        finally:
            count.value -= 1

    server = await asyncio.start_server(serve, "127.0.0.1", stalling.port)
    stalling.port = server.sockets[0].getsockname()[1]
    return server


@contextlib.contextmanager
def stalling_proxy(upstream: int) -> Iterator[Stalling]:
    """In a thread."""
    stalling = Stalling(upstream=upstream)
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    ready = threading.Event()
    thread = threading.Thread(target=_run, args=(loop, stalling, ready, end), name="asyncio stalling", daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "The proxy does not start."
        yield stalling
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)


def _run(loop: asyncio.AbstractEventLoop, stalling: Stalling, ready: threading.Event, end: asyncio.Event) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_listen_until(stalling, ready, end))


async def _listen_until(stalling: Stalling, ready: threading.Event, end: asyncio.Event) -> None:
    server = await listen(stalling, c_int())
    ready.set()
    await end.wait()
    server.close()


async def _serve(stalling: Stalling, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    stalling.passed = 0
    with contextlib.closing(writer), contextlib.suppress(OSError):
        if stalling.upstream is None:
            answering = asyncio.create_task(_spell(stalling, writer))
            await _until_over(answering, reader, None)
            return
        answers, requests = await asyncio.open_connection("127.0.0.1", stalling.upstream)
        with contextlib.closing(requests):
            await _until_over(asyncio.create_task(_answer(stalling, answers, writer)), reader, requests)


async def _until_over(
    answering: "asyncio.Task[None]", reader: asyncio.StreamReader, requests: asyncio.StreamWriter | None
) -> None:
    try:
        await _pass(reader, requests)
    finally:
        answering.cancel()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    while data := await reader.read(CHUNK):
        if writer:
            writer.write(data)
            await writer.drain()


async def _spell(stalling: Stalling, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while stalling.drip_s is not None:
            writer.write(b"S")
            await writer.drain()
            await asyncio.sleep(stalling.drip_s)


async def _answer(stalling: Stalling, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError), contextlib.closing(writer):
        while True:
            left = stalling.allow - stalling.passed
            if left <= 0:
                # An endless sleep where nothing drips: whoever waits has to end it.
                await asyncio.sleep(3600 if stalling.drip_s is None else stalling.drip_s)
            data = await answers.read(int(min(CHUNK, left)) if left > 0 else 1)
            if not data:
                return
            stalling.passed += len(data)
            writer.write(data)
            await writer.drain()


@dataclass(frozen=True, kw_only=True)
class StallingServers:
    """`connected` is how many are connected to them just now."""

    ports: Sequence[int]
    count: c_int

    @property
    def connected(self) -> int:
        return self.count.value


@contextlib.contextmanager
def stalling_servers(kinds: Sequence[Stalling]) -> Iterator[StallingServers]:
    """All in one process of their own, so that they take little from who is measured."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    count = context.RawValue("i", 0)
    process = context.Process(target=_main, args=(kinds, its, count), daemon=True)
    process.start()
    # With this end open, a process that dies at its start would be waited for.
    its.close()
    try:
        yield StallingServers(ports=mine.recv(), count=count)
    finally:
        process.kill()
        process.join()


def _main(kinds: Sequence[Stalling], pipe: Connection, count: c_int) -> None:
    asyncio.run(_serve_all(kinds, pipe, count))


async def _serve_all(kinds: Sequence[Stalling], pipe: Connection, count: c_int) -> None:
    servers = [await listen(kind, count) for kind in kinds]
    pipe.send([kind.port for kind in kinds])
    await asyncio.gather(*(server.serve_forever() for server in servers))
