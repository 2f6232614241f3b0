"""SFTP version 3 (draft-ietf-secsh-filexfer-02) on the wire: packets into bytes and back. No I/O."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

PROTOCOL_VERSION = 3
# What one SSH packet takes: SFTP packets up to this size leave without a remainder.
SSH_PAYLOAD = 32 * 1024 - 64
# Servers stay far below; text in front of the protocol reads as a length far above.
MAX_ANSWER = 1024 * 1024

HEADER = Struct(">IBI")
U32 = Struct(">I")


class PacketType(IntEnum):
    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    STAT = 17
    RENAME = 18
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200


class ProtocolError(Exception):
    """The server's bytes are not SFTP version 3."""


class Request(NamedTuple):
    """A tuple for speed: ten thousands are made a second.

    `payload` follows `body`, uncopied until it leaves. `reply_size` bounds a large answer, in bytes. `changes` says
    whether it may change anything on the server, `opens` whether it takes one of the server's handles.
    """

    kind: int
    body: bytes
    payload: bytes | memoryview = b""
    reply_size: int = 0
    changes: bool = False
    opens: bool = False


class Answer(NamedTuple):
    kind: int
    body: bytes


def encode(request: Request, request_id: int) -> tuple[bytes, bytes, bytes | memoryview]:
    """The pieces of one packet, to be joined with others."""
    kind, body, payload = request[:3]
    return HEADER.pack(5 + len(body) + len(payload), kind, request_id), body, payload


def encode_init() -> bytes:
    return HEADER.pack(5, PacketType.INIT, PROTOCOL_VERSION)


def split(received: bytes) -> tuple[list[tuple[int, Answer]], bytes]:
    """The complete answers by request id (VERSION by its version), and the bytes that remain."""
    answers = []
    position, available = 0, len(received)
    while available - position >= HEADER.size:
        length, kind, request_id = HEADER.unpack_from(received, position)
        if not 5 <= length <= MAX_ANSWER:
            raise ProtocolError(f"a packet of {length} bytes")
        end = position + 4 + length
        if end > available:
            break
        answers.append((request_id, Answer(kind, received[position + HEADER.size : end])))
        position = end
    return answers, received[position:]
