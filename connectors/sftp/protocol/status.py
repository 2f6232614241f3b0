"""What a status code means for OrderFlow. The words that come with it are shown, never matched: servers differ."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    MissingError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from connectors.sftp.protocol.packets import U32, Answer, PacketType
from connectors.sftp.protocol.responses import status_of
from connectors.text.sanitize import said, tame


class Status(IntEnum):
    """Those above 8 are of later protocol versions; some servers send them all the same."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    NO_CONNECTION = 6
    CONNECTION_LOST = 7
    OP_UNSUPPORTED = 8
    NO_SUCH_PATH = 10
    FILE_ALREADY_EXISTS = 11
    WRITE_PROTECT = 12
    NO_SPACE_ON_FILESYSTEM = 14
    QUOTA_EXCEEDED = 15
    NOT_A_DIRECTORY = 19
    INVALID_FILENAME = 20
    LINK_LOOP = 21


class _Meaning(NamedTuple):
    kind: type[ConnectorError]
    cause: str
    next_step: str


_NOT_THERE = _Meaning(MissingError, "no such file or folder", MissingError.NEXT_STEP)
_NO_FOLDER = _NOT_THERE._replace(kind=ConfigError)
_REFUSED = _Meaning(
    ConfigError, "permission denied", "Give the user the right to it on the server, then test the connection."
)
_BAD_NAME = _Meaning(RejectedError, "the server does not take this name", "Check its length and characters.")
_FULL = _Meaning(TransientError, "no space left on the server", "Make room there.")
_LATER = _Meaning(TransientError, "the server lost its own storage", "Trying again may help.")
_UNCLEAR = _Meaning(
    TransientError, "the server failed without a cause", "Its disk may be full or read-only, or the path wrong."
)

# For a request that names a file that is there: its name is not what the server objects to.
_NOT_HERE = _Meaning(
    ConfigError,
    "the server rejects the request",
    "Ask its operator whether the folder allows it, then test the connection.",
)
_NOT_RENAMED = _Meaning(
    TransientError,
    "the server failed without a cause",
    "Its file system may not be able to rename (some have no hard links), or its disk may be full or read-only.",
)

_MEANINGS: dict[int, _Meaning] = {
    Status.NO_SUCH_FILE: _NOT_THERE,
    Status.NO_SUCH_PATH: _NOT_THERE,
    Status.NOT_A_DIRECTORY: _NO_FOLDER,
    Status.LINK_LOOP: _NO_FOLDER,
    Status.PERMISSION_DENIED: _REFUSED,
    Status.WRITE_PROTECT: _REFUSED,
    Status.BAD_MESSAGE: _BAD_NAME,
    Status.INVALID_FILENAME: _BAD_NAME,
    Status.NO_CONNECTION: _LATER,
    Status.CONNECTION_LOST: _LATER,
    Status.OP_UNSUPPORTED: _Meaning(
        ConfigError, "the server does not offer this operation", "Ask its operator to allow it."
    ),
    Status.FILE_ALREADY_EXISTS: _Meaning(TargetExistsError, "the name is taken", "Look at the file that is there."),
    Status.NO_SPACE_ON_FILESYSTEM: _FULL,
    Status.QUOTA_EXCEEDED: _FULL,
}


# Compared as they come: most answers are this one.
_OK = U32.pack(Status.OK)


def is_ok(answer: Answer) -> bool:
    return answer.kind == PacketType.STATUS and answer.body[:4] == _OK


def is_missing(answer: Answer) -> bool:
    return status_of(answer)[0] in {Status.NO_SUCH_FILE, Status.NO_SUCH_PATH}


def is_end(answer: Answer) -> bool:
    return status_of(answer)[0] == Status.EOF


def is_unexplained(answer: Answer) -> bool:
    """The code that servers give for whatever has no code of its own."""
    return answer.kind == PacketType.STATUS and status_of(answer)[0] == Status.FAILURE


def tells_of_lost_bytes(answer: Answer) -> bool:
    """Whether the code says that the storage had no room for what it had accepted, or was lost itself."""
    return answer.kind == PacketType.STATUS and _MEANINGS.get(status_of(answer)[0]) in {_FULL, _LATER}


def failure(answer: Answer, doing: str, path: str) -> ConnectorError:
    """The typed error for a failed status: `Cannot <doing> <path>: …`."""
    return _failure(answer, doing, path, _MEANINGS, _UNCLEAR)


def rename_failure(answer: Answer, source: str, target: str) -> ConnectorError:
    """The same for a rename of a file that this session wrote, or found."""
    meanings = {**_MEANINGS, Status.BAD_MESSAGE: _NOT_HERE}
    return _failure(answer, f"rename {tame(source)} to", target, meanings, _NOT_RENAMED)


def look_failure(answer: Answer, path: str) -> ConnectorError:
    """The same for a look at a name beside a file that this session wrote."""
    return _failure(answer, "look at", path, {**_MEANINGS, Status.BAD_MESSAGE: _NOT_HERE}, _UNCLEAR)


def _failure(
    answer: Answer, doing: str, path: str, meanings: Mapping[int, _Meaning], unclear: _Meaning
) -> ConnectorError:
    code, message = status_of(answer)
    kind, cause, next_step = meanings.get(code, unclear)
    words = said(message or f"status {code}")
    return kind(f"Cannot {doing} {tame(path)}: {cause}{words}. {next_step}")
