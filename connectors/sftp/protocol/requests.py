"""The requests that OrderFlow makes. Paths and handles are bytes as the server knows them."""

from collections.abc import Iterator
from struct import Struct

from connectors.sftp.protocol.packets import HEADER, SSH_PAYLOAD, U32, PacketType, Request

# As much as every server answers at once.
READ_SIZE = 32 * 1024
# OpenSSH answers a READDIR with a hundred names at most.
READDIR_SIZE = 32 * 1024

# OpenSSH's extension, which other servers have as well.
FLUSH = b"fsync@openssh.com"
# rename(2), which replaces what is there, and needs no second name as a plain rename may.
POSIX_RENAME = b"posix-rename@openssh.com"

_READ = 0x01
_WRITE_CREATE_TRUNCATE = 0x02 | 0x08 | 0x10
_NO_ATTRIBUTES = U32.pack(0)
_RANGE = Struct(">QI")


def open_to_read(path: bytes) -> Request:
    return Request(PacketType.OPEN, _string(path) + U32.pack(_READ) + _NO_ATTRIBUTES, opens=True)


def open_to_replace(path: bytes) -> Request:
    body = _string(path) + U32.pack(_WRITE_CREATE_TRUNCATE) + _NO_ATTRIBUTES
    return Request(PacketType.OPEN, body, changes=True, opens=True)


def writes(handle: bytes, content: bytes) -> Iterator[Request]:
    """Each fills one SSH packet exactly, but for the last."""
    start = _string(handle)
    size = SSH_PAYLOAD - HEADER.size - len(start) - _RANGE.size
    view = memoryview(content)
    for offset in range(0, len(content), size):
        piece = view[offset : offset + size]
        yield Request(PacketType.WRITE, start + _RANGE.pack(offset, len(piece)), piece, changes=True)


def read(handle: bytes, offset: int, size: int) -> Request:
    return Request(PacketType.READ, _string(handle) + _RANGE.pack(offset, size), reply_size=size)


def reads(handle: bytes, size: int) -> Iterator[Request]:
    for offset in range(0, size, READ_SIZE):
        yield read(handle, offset, min(READ_SIZE, size - offset))


def close(handle: bytes) -> Request:
    return Request(PacketType.CLOSE, _string(handle))


def fstat(handle: bytes) -> Request:
    return Request(PacketType.FSTAT, _string(handle))


def flush(handle: bytes) -> Request:
    """Onto the server's disk."""
    return Request(PacketType.EXTENDED, _string(FLUSH) + _string(handle))


def lstat(path: bytes) -> Request:
    return Request(PacketType.LSTAT, _string(path))


def stat(path: bytes) -> Request:
    return Request(PacketType.STAT, _string(path))


def open_directory(path: bytes) -> Request:
    return Request(PacketType.OPENDIR, _string(path), opens=True)


def read_directory(handle: bytes) -> Request:
    return Request(PacketType.READDIR, _string(handle), reply_size=READDIR_SIZE)


def remove(path: bytes) -> Request:
    return Request(PacketType.REMOVE, _string(path), changes=True)


def make_directory(path: bytes) -> Request:
    return Request(PacketType.MKDIR, _string(path) + _NO_ATTRIBUTES, changes=True)


def rename(source: bytes, target: bytes) -> Request:
    return Request(PacketType.RENAME, _string(source) + _string(target), changes=True)


def posix_rename(source: bytes, target: bytes) -> Request:
    body = _string(POSIX_RENAME) + _string(source) + _string(target)
    return Request(PacketType.EXTENDED, body, changes=True)


def _string(value: bytes) -> bytes:
    return U32.pack(len(value)) + value
