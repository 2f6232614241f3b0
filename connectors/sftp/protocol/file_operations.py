"""What there is to say to a server, each told from beginning to end.

A conversation is a generator: it yields requests that leave together, is sent their answers in order, and returns its
outcome or raises a `ConnectorError`. It knows nothing of the others that are under way at the same time.
"""

from collections.abc import Callable, Generator, Sequence
from itertools import takewhile
from typing import TypeVar

from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    RejectedError,
    TransientError,
)
from connectors.failpoints import Failpoint, reached
from connectors.sftp.protocol import requests
from connectors.sftp.protocol.packets import Answer, PacketType, Request
from connectors.sftp.protocol.responses import Attributes, attributes_of, data_of, handle_of
from connectors.sftp.protocol.server_capabilities import NO_MANNERS, Manners
from connectors.sftp.protocol.status import failure, is_end, is_missing, is_ok, tells_of_lost_bytes
from connectors.text.sanitize import tame

T = TypeVar("T")
Conversation = Generator[Sequence[Request], list[Answer], T]


def write_file(
    path: str, content: bytes, manners: Manners = NO_MANNERS, refused: Callable[[Answer], None] = lambda _: None
) -> Conversation[None]:
    """Create or replace. What fails on the way, down to the answer to CLOSE, removes the file again.

    Flushed where the server can, it outlives a power cut there. A rejected flush fails the file if its code says that
    bytes were lost. `refused` is called with any other one, which may come from a storage that cannot flush: the size
    is then taken from the closed file, and the caller compares the bytes.
    """
    name = encoded(path)
    (answer,) = yield [requests.open_to_replace(name)]
    if answer.kind != PacketType.HANDLE:
        raise failure(answer, "write", path)
    reached(Failpoint.SFTP_FILE_CREATED)
    handle = handle_of(answer)
    writes = [*requests.writes(handle, content)]
    flush = [requests.flush(handle)] if manners.can_flush else []
    answers = yield from _in_order([*writes, requests.fstat(handle)], flush, [requests.close(handle)], manners=manners)
    attributes = answers.pop(len(writes))
    if flush and not is_ok(answers[len(writes)]) and not tells_of_lost_bytes(answers[len(writes)]):
        refused(answers.pop(len(writes)))
        (closed,) = yield [requests.lstat(name)]
        # Where looking is not permitted, what FSTAT said has to do.
        attributes = closed if closed.kind == PacketType.ATTRS else attributes
    failed = next((step for step in answers if not is_ok(step)), None)
    error = failure(failed, "write", path) if failed else (yield from _size_error(path, attributes, len(content)))
    if error:
        yield [requests.remove(name)]
        raise error
    reached(Failpoint.SFTP_FILE_WRITTEN)


def _size_error(path: str, answer: Answer, size: int) -> Conversation[ConnectorError | None]:
    """Servers that work in parallel may answer FSTAT ahead of the writes: ask again, now that the file is closed."""
    if answer.kind != PacketType.ATTRS or attributes_of(answer).size != size:
        (answer,) = yield [requests.lstat(encoded(path))]
    if answer.kind != PacketType.ATTRS:
        return failure(answer, "check the size of", path)
    found = attributes_of(answer).size
    if found is None:
        return ConfigError(
            f"The server does not tell the size of {tame(path)}, so nobody can know that it is complete."
        )
    if found != size:
        return TransientError(f"{tame(path)} has {found} bytes on the server instead of {size}. Its disk may be full.")
    return None


def lstat(path: str) -> Conversation[Attributes | None]:
    """None: there is no such file."""
    (answer,) = yield [requests.lstat(encoded(path))]
    if answer.kind == PacketType.ATTRS:
        return attributes_of(answer)
    if is_missing(answer):
        return None
    raise failure(answer, "look at", path)


def read_file(
    path: str, limit: int, manners: Manners = NO_MANNERS, listed: int | None = None
) -> Conversation[bytes | None]:
    """None: there is no such file. Nothing but a regular file is opened: a FIFO would hold the server up until the
    deadline. A listing has just shown one of `listed` bytes: unless it has these, it is looked at once more."""
    if listed is not None and listed <= limit:
        # One byte more, which tells whether it has grown.
        content = yield from _read_at_once(path, listed + 1, manners)
        if content is None or len(content) == listed:
            return content
    attributes = yield from lstat(path)
    if attributes is None:
        return None
    if not attributes.is_file:
        raise RejectedError(f"{tame(path)} is not a regular file.")
    if attributes.size is None:
        return (yield from _read_piecemeal(path, limit))
    if attributes.size > limit:
        raise RejectedError(f"{tame(path)} has {attributes.size} bytes, more than the {limit} that are read.")
    content = yield from _read_at_once(path, attributes.size, manners)
    # A server may answer a READ with less than was asked for.
    whole = content is None or len(content) == attributes.size
    return content if whole else (yield from _read_piecemeal(path, limit))


def _read_at_once(path: str, size: int, manners: Manners) -> Conversation[bytes | None]:
    """As far as the server goes along."""
    handle = yield from _opened_if_there(path)
    if handle is None:
        return None
    reads = [*requests.reads(handle, size)]
    *pieces, _ = yield from _in_order(reads, [requests.close(handle)], manners=manners)
    return b"".join(data_of(piece) for piece in takewhile(lambda piece: piece.kind == PacketType.DATA, pieces))


def _read_piecemeal(path: str, limit: int) -> Conversation[bytes | None]:
    handle = yield from _opened_if_there(path)
    if handle is None:
        return None
    content = bytearray()
    while len(content) <= limit:
        (answer,) = yield [requests.read(handle, len(content), requests.READ_SIZE)]
        if answer.kind != PacketType.DATA or not (data := data_of(answer)):
            break
        content += data
    yield [requests.close(handle)]
    if len(content) > limit:
        raise RejectedError(f"{tame(path)} has more than the {limit} bytes that are read.")
    if answer.kind != PacketType.DATA and not is_end(answer):
        raise failure(answer, "read", path)
    return bytes(content)


def remove(path: str) -> Conversation[None]:
    (answer,) = yield [requests.remove(encoded(path))]
    if not is_ok(answer) and not is_missing(answer):
        raise failure(answer, "remove", path)


def _in_order(*bursts: Sequence[Request], manners: Manners) -> Conversation[list[Answer]]:
    """The answers to all of them: in one go where the server keeps the order."""
    if manners.keeps_order:
        return (yield [request for burst in bursts for request in burst])
    answers: list[Answer] = []
    for burst in bursts:
        if burst:
            answers += yield burst
    return answers


def _opened_if_there(path: str) -> Conversation[bytes | None]:
    (answer,) = yield [requests.open_to_read(encoded(path))]
    if answer.kind == PacketType.HANDLE:
        return handle_of(answer)
    if is_missing(answer):
        return None
    raise failure(answer, "read", path)


def encoded(path: str) -> bytes:
    try:
        name = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise RejectedError(f"{tame(path)} is not a name that a server can have.") from error
    if b"\0" in name:
        raise RejectedError(f"{tame(path)} is not a name that a server can have.")
    return name
