"""What a journal commit left outside the database: one file, whose name is its number and stamp, and its lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

# So many files share a folder: a look at the newest lists two folders, whatever the number of files.
SHARD = 500

_NAME = re.compile(r"(\d{12,19})-([0-9a-f]{32})\.json", re.ASCII)
_FOLDER = re.compile(r"\d{12,19}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Mark:
    """Identifies one commit."""

    number: int
    stamp: UUID

    @property
    def name(self) -> str:
        """Below the folder of the installation."""
        return f"{folder_of(self.number)}/{self.number:012d}-{self.stamp.hex}.json"


class Line(Struct, frozen=True, kw_only=True):
    """One export whose file may have its final name from then on: what it takes to restore its row.

    `staged_path` is empty where the file that was staged is removed, and nothing was published.
    """

    export_id: UUID
    order_id: UUID
    organization_id: UUID
    connection_id: UUID
    supersedes_id: UUID | None
    filename: str
    staged_path: str
    sha256: str
    size: int
    created_at: datetime
    requested_by: str
    idempotency_key: str | None
    request_hash: str


class Unreadable(Exception):
    """The file is not complete: its writer was killed before it could publish anything."""


def folder_of(number: int) -> str:
    return f"{number // SHARD:012d}"


def is_folder(name: str) -> bool:
    return _FOLDER.fullmatch(name) is not None


def mark_of(name: str) -> Mark | None:
    """None for a file that is not a journal entry."""
    match = _NAME.fullmatch(name)
    return Mark(number=int(match[1]), stamp=UUID(match[2])) if match else None


def encode(lines: Sequence[Line]) -> bytes:
    return msgspec.json.encode(lines)


def decode(content: bytes) -> list[Line]:
    """Raises `Unreadable`."""
    try:
        return msgspec.json.decode(content, type=list[Line])
    except msgspec.MsgspecError as error:
        raise Unreadable(str(error)) from error
