"""What the server's answers say. Every function raises `ProtocolError` for anything but the answer that was due."""

import stat
from struct import Struct
from typing import NamedTuple

from connectors.sftp.protocol.packets import U32, Answer, PacketType, ProtocolError

_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES, _HAS_EXTENSIONS = 0x01, 0x02, 0x04, 0x08, 0x80000000
_HAS_THE_USUAL = _HAS_SIZE | _HAS_OWNER | _HAS_MODE | _HAS_TIMES
# size, owner, group, mode, time of access, time of change
_THE_USUAL = Struct(">QIIIII")


class Attributes(NamedTuple):
    """None where the server does not tell. `size` in bytes, `modified_at` in seconds since the epoch."""

    size: int | None
    mode: int | None
    modified_at: int | None

    @property
    def is_file(self) -> bool:
        return self.mode is not None and stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        return self.mode is not None and stat.S_ISDIR(self.mode)


def status_of(answer: Answer) -> tuple[int, bytes]:
    """Code and message; some servers leave the message out."""
    reader = _Reader(answer, PacketType.STATUS)
    return reader.u32(), reader.string() if reader.left else b""


def handle_of(answer: Answer) -> bytes:
    return _Reader(answer, PacketType.HANDLE).string()


def data_of(answer: Answer) -> bytes:
    return _Reader(answer, PacketType.DATA).string()


def attributes_of(answer: Answer) -> Attributes:
    return _Reader(answer, PacketType.ATTRS).attributes()


def names_of(answer: Answer) -> list[tuple[str, Attributes]]:
    """A name that is not UTF-8 carries surrogate escapes."""
    reader = _Reader(answer, PacketType.NAME)
    names = []
    for _ in range(reader.u32()):
        name = reader.string().decode("utf-8", "surrogateescape")
        reader.string()  # the line of `ls -l`, for people
        names.append((name, reader.attributes()))
    return names


def extensions_of(answer: Answer) -> frozenset[bytes]:
    """What the server offers beyond the protocol, by VERSION; its version stands where other answers have their id."""
    reader = _Reader(answer, PacketType.VERSION)
    names = set()
    while reader.left:
        names.add(reader.string())
        reader.string()
    return frozenset(names)


class _Reader:
    def __init__(self, answer: Answer, kind: PacketType) -> None:
        if answer.kind != kind:
            raise ProtocolError(f"an answer of type {answer.kind} where {kind.name} was due")
        self._body = answer.body
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._body) - self._position

    def u32(self) -> int:
        (value,) = self._unpack(U32)
        return value

    def string(self) -> bytes:
        end = self.u32() + self._position
        if end > len(self._body):
            raise ProtocolError("an answer that ends too early")
        value = self._body[self._position : end]
        self._position = end
        return value

    def attributes(self) -> Attributes:
        flags = self.u32()
        if flags == _HAS_THE_USUAL:
            size, _, _, mode, _, modified_at = self._unpack(_THE_USUAL)
            return Attributes(size, mode, modified_at)
        return self._unusual_attributes(flags)

    def _unusual_attributes(self, flags: int) -> Attributes:
        size = mode = modified_at = None
        if flags & _HAS_SIZE:
            size = (self.u32() << 32) + self.u32()
        if flags & _HAS_OWNER:
            self.u32(), self.u32()
        if flags & _HAS_MODE:
            mode = self.u32()
        if flags & _HAS_TIMES:
            _, modified_at = self.u32(), self.u32()
        if flags & _HAS_EXTENSIONS:
            for _ in range(2 * self.u32()):
                self.string()
        return Attributes(size, mode, modified_at)

    def _unpack(self, fields: Struct) -> tuple[int, ...]:
        if fields.size > self.left:
            raise ProtocolError("an answer that ends too early")
        values = fields.unpack_from(self._body, self._position)
        self._position += fields.size
        return values
