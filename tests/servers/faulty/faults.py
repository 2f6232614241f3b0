"""The faults that there are."""

import asyncio
import errno
import io
import os
import stat
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from tests.servers.faulty.server import Call, Fault

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
DENIED = asyncssh.SFTPPermissionDenied("no")
# What a server says that has neither words nor numbers for it.
BARE_FAILURE = asyncssh.SFTPFailure("")

# For `asyncssh.listen`: what a server offers that nobody has looked after for ten years.
WEAK_ONLY = {"encryption_algs": ["aes128-cbc", "3des-cbc"], "mac_algs": ["hmac-sha1", "hmac-md5"]}


@dataclass(kw_only=True)
class Fails(Fault):
    """Says no; with `carried_out` only after having done it."""

    error: Exception = BARE_FAILURE
    carried_out: bool = False

    async def strike(self, call: Call) -> Any:
        if self.carried_out:
            await call.carry_out()
        raise self.error


@dataclass(kw_only=True)
class NoSecondNames(Fails):
    """As OpenSSH on a file system without hard links: its plain rename makes one, its other rename does not."""

    operations: frozenset[str] = frozenset({"rename"})
    error: Exception = DENIED

    def is_about(self, call: Call) -> bool:
        return call.operation == "rename"


@dataclass(kw_only=True)
class DiskFull(Fails):
    """From `at` bytes of a file on."""

    operations: frozenset[str] = frozenset({"write"})
    error: Exception = FULL
    at: int = 0

    def is_about(self, call: Call) -> bool:
        _, offset, data = call.arguments
        return bool(offset + len(data) > self.at)


@dataclass(kw_only=True)
class QuotaAtClose(Fails):
    operations: frozenset[str] = frozenset({"close"})
    error: Exception = FULL
    carried_out: bool = True


@dataclass(kw_only=True)
class LosesAtFlush(Fault):
    """The storage took all bytes and loses them when they are flushed: the file gets shorter, or with `keeps` has as
    many others, and that is the failure."""

    operations: frozenset[str] = frozenset({"fsync"})
    keeps: Exception | None = None

    async def strike(self, call: Call) -> Any:
        descriptor = call.arguments[0].fileno()
        size = os.fstat(descriptor).st_size
        os.ftruncate(descriptor, 0)
        if self.keeps:
            os.ftruncate(descriptor, size)
        raise self.keeps or BARE_FAILURE


@dataclass(kw_only=True)
class DeniedStat(Fails):
    operations: frozenset[str] = frozenset({"fstat", "lstat"})
    error: Exception = DENIED


@dataclass(kw_only=True)
class ShortWrites(Fault):
    """Says that all is well, and keeps half of it; of what begins below `below` only, so that the size fits again."""

    operations: frozenset[str] = frozenset({"write"})
    below: int | None = None

    def is_about(self, call: Call) -> bool:
        return self.below is None or call.arguments[1] < self.below

    async def strike(self, call: Call) -> int:
        file, offset, data = call.arguments
        await call.carry_out(file, offset, data[: len(data) // 2])
        return len(data)


@dataclass(kw_only=True)
class ShortReads(Fault):
    operations: frozenset[str] = frozenset({"read"})
    size: int = 1000

    async def strike(self, call: Call) -> Any:
        file, offset, size = call.arguments
        return await call.carry_out(file, offset, min(size, self.size))


@dataclass(kw_only=True)
class TellsSize(Fault):
    """Another one than it is, as servers do that work in parallel: FSTAT is answered ahead of the writes before it.
    None: no size at all."""

    operations: frozenset[str] = frozenset({"fstat"})
    size: int | None = 0

    async def strike(self, call: Call) -> Any:
        attributes = asyncssh.SFTPAttrs.from_local(await call.carry_out())
        attributes.size = self.size
        return attributes


@dataclass(kw_only=True)
class LosesAnswers(Fault):
    """Does as it was told and does not say so; then it is silent, or hangs up."""

    operations: frozenset[str] = frozenset({"rename"})
    hangs_up_after_s: float | None = None

    async def strike(self, call: Call) -> Any:
        call.server.swallow_answer()
        if self.hangs_up_after_s is not None:
            call.server.hang_up(after_s=self.hangs_up_after_s)
        return await call.carry_out()


@dataclass(kw_only=True)
class LinksOnly(Fault):
    """A rename is a second name and then one less: the server dies between the two."""

    operations: frozenset[str] = frozenset({"rename"})

    async def strike(self, call: Call) -> Any:
        old, new = (call.server.map_path(path) for path in call.arguments)
        os.link(old, new)
        call.server.hang_up()


@dataclass(kw_only=True)
class DeletesNewName(Fault):
    """As OpenSSH does where it may not unlink the old one."""

    operations: frozenset[str] = frozenset({"rename"})

    async def strike(self, call: Call) -> Any:
        old, new = (call.server.map_path(path) for path in call.arguments)
        os.link(old, new)
        Path(os.fsdecode(new)).unlink()
        raise BARE_FAILURE


@dataclass(kw_only=True)
class Overwrites(Fault):
    """A plain rename replaces what is there, as it does with rclone and ProFTPD."""

    operations: frozenset[str] = frozenset({"rename"})

    async def strike(self, call: Call) -> Any:
        old, new = (Path(os.fsdecode(call.server.map_path(path))) for path in call.arguments)
        old.replace(new)


@dataclass(kw_only=True)
class Meanwhile(Fault):
    """The operation takes so long that something else happens first. `failed` keeps what that ran into."""

    act: Callable[[], None]
    at_most: int | None = 1
    failed: list[BaseException] = field(default_factory=list)

    async def strike(self, call: Call) -> Any:
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.act)
        except BaseException as error:
            self.failed.append(error)
            raise
        return await call.carry_out()


@dataclass(kw_only=True)
class Freezes(Fault):
    """Stops in the middle of what it does, and leaves the connection open."""

    operations: frozenset[str] = frozenset({"write"})

    async def strike(self, call: Call) -> Any:
        try:
            return await asyncio.Event().wait()
        finally:
            # The server has let go of what it was told to close.
            for file in call.arguments:
                if isinstance(file, io.IOBase):
                    file.close()


@dataclass(kw_only=True)
class Dawdles(Fault):
    seconds: float

    async def strike(self, call: Call) -> Any:
        await asyncio.sleep(self.seconds)
        return await call.carry_out()


@dataclass(kw_only=True)
class TakesFiles(Fault):
    """The ERP takes the file in the moment that it appears. `taken` counts how often each name came, `contents` has
    what came last."""

    operations: frozenset[str] = frozenset({"rename"})
    taken: Counter[str] = field(default_factory=Counter)
    contents: dict[str, bytes] = field(default_factory=dict)

    async def strike(self, call: Call) -> Any:
        result = await call.carry_out()
        path = Path(os.fsdecode(call.server.map_path(call.arguments[1])))
        self.contents[path.name] = path.read_bytes()
        path.unlink()
        self.taken[path.name] += 1
        return result


@dataclass(kw_only=True)
class FewHandles(Fault):
    """`most` is how many files were open at once."""

    operations: frozenset[str] = frozenset({"open", "close"})
    limit: int = 1
    handles: int = 0
    most: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def strike(self, call: Call) -> Any:
        closing = len(call.arguments) == 1
        with self._counting:
            if not closing and self.handles >= self.limit:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            self.handles += -1 if closing else 1
            self.most = max(self.most, self.handles)
        return await call.carry_out()


@dataclass(kw_only=True)
class ListsAlso(Fault):
    """Files that are nowhere but in the listing, in front of those that are there."""

    operations: frozenset[str] = frozenset({"scandir"})
    names: Callable[[], Iterable[bytes]]
    size: int = 100

    async def strike(self, call: Call) -> AsyncIterator[asyncssh.SFTPName]:
        return self._entries(await call.carry_out())

    async def _entries(self, there: AsyncIterator[asyncssh.SFTPName]) -> AsyncIterator[asyncssh.SFTPName]:
        for name in self.names():
            attributes = asyncssh.SFTPAttrs(size=self.size, uid=0, gid=0, permissions=stat.S_IFREG | 0o644)
            attributes.atime = attributes.mtime = 1_800_000_000
            # With a line for people of its own, as the server's would take long.
            yield asyncssh.SFTPName(name, longname=name, attrs=attributes)
        async for entry in there:
            yield entry


# Names that a server may send and no file system would take, among some that are only unusual.
HOSTILE_NAMES = (
    b"ack_\xff\xfe.json",
    b"ack_\xe4\xf6\xfc_latin1.json",
    b"ack_\x1b[31mred\x1b[0m.json",
    b"ack_line\r\nbreak.json",
    b"ack_nul\0byte.json",
    b"ack_../../etc/passwd.json",
    b"../ack_outside.json",
    b"/etc/passwd",
    b"",
    b".",
    b"..",
    b"ack_" + b"a" * 5000 + b".json",
    b"ack_\xed\xa0\x80_half_a_pair.json",
    "ack_\u202etxt.json".encode(),
    b"ack_%s%n%x.json",
    b"ack_'; DROP TABLE exports_erpexport; --.json",
)
