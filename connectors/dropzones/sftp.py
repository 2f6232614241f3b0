"""A folder behind an SFTP server."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from connectors.dropzones.base import Dropzone, Entry, Move, OutgoingFile
from connectors.exceptions import ConnectorError
from connectors.sftp import conversations, folders
from connectors.sftp.answers import Attributes
from connectors.sftp.session import SFTPSession

T = TypeVar("T")

# Requests for names on their way at once: one for the many short listings, then more for the few long ones.
_FIRST_WAVE, _LARGEST_WAVE = 2, 32


class SFTPDropzone(Dropzone):
    def __init__(self, session: SFTPSession) -> None:
        self._session = session

    def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
        manners = self._session.manners
        return self._session.run([conversations.write_file(file.path, file.content, manners) for file in files])

    def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
        rename = conversations.rename if self._session.manners.never_replaces else conversations.rename_to_free_name
        return self._session.run([rename(move.source, move.target) for move in moves])

    def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
        outcomes = self._session.run([conversations.lstat(path) for path in paths])
        return [
            _entry(path.rpartition("/")[2], outcome) if isinstance(outcome, Attributes) else outcome
            for path, outcome in zip(paths, outcomes, strict=True)
        ]

    def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
        manners = self._session.manners
        return self._session.run([conversations.read_file(path, limit, manners) for path in paths])

    def remove(self, paths: Sequence[str]) -> list[ConnectorError | None]:
        return self._session.run([conversations.remove(path) for path in paths])

    def list(self, directory: str) -> Iterator[Entry]:
        handle = self._session.ask(folders.open_directory(directory))
        self._session.listings += 1
        try:
            wave, at_end = _FIRST_WAVE, False
            while not at_end:
                named, at_end = self._session.ask(folders.read_directory(handle, directory, wave))
                yield from (_entry(name, attributes) for name, attributes in named if _is_a_name(name))
                wave = min(2 * wave, _LARGEST_WAVE)
        finally:
            if not self._session.is_closed:
                self._session.ask(folders.close_directory(handle))
                self._session.listings -= 1

    def make_directory(self, path: str) -> None:
        self._session.ask(folders.make_directory(path))

    def close(self) -> None:
        self._session.close()


def _is_a_name(name: str) -> bool:
    """Servers name `.` and `..` too, and a hostile one might name a path."""
    return name not in {"", ".", ".."} and "/" not in name


def _entry(name: str, attributes: Attributes) -> Entry:
    return Entry(
        name=name,
        size=attributes.size or 0,
        modified_at=float(attributes.modified_at or 0),
        is_file=attributes.is_file,
    )
