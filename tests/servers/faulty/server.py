"""An SFTP server that does all the time what real ones do only sometimes: faults, laid over each other."""

import asyncio
import contextlib
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import asyncssh

from tests.servers.sftp.asyncssh_server import AsyncSSHServer, asyncssh_server

GoOn = Callable[..., Awaitable[Any]]
# Besides `scandir`, whose outcome is an iterator.
OPERATIONS = (
    *("open", "close", "read", "write", "fstat", "lstat", "stat", "fsync", "rename", "posix_rename", "remove", "mkdir"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of a client's; what carries it out may be the next fault."""

    server: "FaultySFTP"
    operation: str
    arguments: tuple[Any, ...]
    go_on: GoOn

    async def carry_out(self, *changed: Any) -> Any:
        return await self.go_on(*(changed or self.arguments))


@dataclass(kw_only=True)
class Fault(ABC):
    """Strikes at a `share` of the calls that it is about, picked by `seed`, and `at_most` so many times."""

    operations: frozenset[str] = frozenset()
    share: float = 1
    at_most: int | None = None
    seed: int = 0
    struck: int = 0
    # One fault may serve many sessions, and be looked at from the test's thread.
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - nothing secret, and to be repeated

    async def around(self, call: Call) -> Any:
        return await (self.strike(call) if self._strikes(call) else call.carry_out())

    @abstractmethod
    async def strike(self, call: Call) -> Any:
        """In place of the operation."""

    def is_about(self, call: Call) -> bool:  # noqa: ARG002 - a fault may look closer
        return True

    def _strikes(self, call: Call) -> bool:
        with self._lock:
            if self.struck == self.at_most or not self.is_about(call) or self._random.random() >= self.share:
                return False
            self.struck += 1
            return True


class FaultySFTP(asyncssh.SFTPServer):
    """The first of the `faults` stands nearest to the disk."""

    faults: ClassVar[list[Fault]] = []

    def __init__(self, chan: Any, **options: Any) -> None:
        super().__init__(chan, **options)
        self._unsent = 0
        self._write, chan.write = chan.write, self._filtered

    def swallow_answer(self) -> None:
        """To the request that is being carried out. Requests come one after the other, and so do answers."""
        self._unsent += 1

    def hang_up(self, *, after_s: float = 0) -> None:
        connection = self.channel.get_connection()
        if after_s:
            asyncio.get_running_loop().call_later(after_s, connection.abort)
        else:
            connection.abort()

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        async for entry in await self._call("scandir", path):
            yield entry

    async def _call(self, operation: str, *arguments: Any) -> Any:
        go_on: GoOn = partial(_carry_out, getattr(asyncssh.SFTPServer, operation), self)
        for fault in list(self.faults):
            # What goes wrong with a rename does so with both kinds.
            if {operation, operation.removeprefix("posix_")} & fault.operations:
                go_on = partial(_strike, fault, self, operation, go_on)
        return await go_on(*arguments)

    def _filtered(self, data: bytes, *arguments: Any) -> None:
        if self._unsent:
            self._unsent -= 1
        else:
            self._write(data, *arguments)


async def _strike(fault: Fault, server: FaultySFTP, operation: str, go_on: GoOn, *arguments: Any) -> Any:
    return await fault.around(Call(server, operation, arguments, go_on))


async def _carry_out(operation: Callable[..., Any], server: FaultySFTP, *arguments: Any) -> Any:
    result = operation(server, *arguments)
    return await result if inspect.isawaitable(result) else result


def _with_faults(operation: str) -> Callable[..., Awaitable[Any]]:
    return lambda self, *arguments: self._call(operation, *arguments)


for _operation in OPERATIONS:
    setattr(FaultySFTP, _operation, _with_faults(_operation))


@contextlib.contextmanager
def faulty_server(root: Path, faults: list[Fault], **options: Any) -> Iterator[AsyncSSHServer]:
    """What is in `faults` goes wrong, and they may change meanwhile. `options` as for `asyncssh_server`."""
    sftp_class = type("Faulty", (FaultySFTP,), {"faults": faults})
    with asyncssh_server(root, sftp_class=sftp_class, **options) as server:
        yield server


@contextlib.contextmanager
def silent_subsystem(root: Path) -> Iterator[AsyncSSHServer]:
    """Lets everybody in, takes the request for SFTP, and then says nothing."""
    with asyncssh_server(root, sftp_class=_Speechless) as server:
        yield server


class _Speechless(asyncssh.SFTPServer):
    def __init__(self, chan: Any, **options: Any) -> None:
        super().__init__(chan, **options)
        chan.write = lambda *_: None
