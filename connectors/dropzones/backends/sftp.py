"""A folder behind an SFTP server."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from connectors.dropzones.backends.base import Dropzone, Entry, Move, OutgoingFile
from connectors.exceptions import ConnectorError, TransientError
from connectors.sftp.protocol import file_operations, folder_operations, rename_operations
from connectors.sftp.protocol.packets import SSH_PAYLOAD, Answer
from connectors.sftp.protocol.responses import Attributes
from connectors.sftp.session import SFTPSession
from connectors.text.sanitize import tame

T = TypeVar("T")

# A server may tell more, which no column holds.
LARGEST = 2**63 - 1

# A larger file leaves in several requests. Handles have 256 bytes at most.
ONE_WRITE = SSH_PAYLOAD - 512

# Requests for names on their way at once: one for the many short listings, then more for the few long ones.
_FIRST_WAVE, _LARGEST_WAVE = 2, 32


class SFTPDropzone(Dropzone):
    def __init__(self, session: SFTPSession) -> None:
        self._session = session

    def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
        manners, unflushed = self._session.manners, set[str]()

        def write(file: OutgoingFile) -> file_operations.Conversation[None]:
            def refused(answer: Answer) -> None:
                unflushed.add(file.path)
                self._session.flush_refused(answer)

            return file_operations.write_file(file.path, file.content, manners, refused)

        outcomes = self._session.run([write(file) for file in files])
        written = [file for file, error in zip(files, outcomes, strict=True) if error is None]
        damaged = self._damaged([file for file in written if file.path in unflushed or self._may_have_a_hole(file)])
        return [damaged.get(file.path, error) for file, error in zip(files, outcomes, strict=True)]

    def _may_have_a_hole(self, file: OutgoingFile) -> bool:
        return not self._session.manners.tells_short_writes and len(file.content) > ONE_WRITE

    def _damaged(self, files: Sequence[OutgoingFile]) -> dict[str, ConnectorError]:
        """A write in the middle of a file that kept less than it said leaves a hole, and the size as it should be.
        Where reading is not permitted, the size has to do."""
        if not files:
            return {}
        try:
            found = self.read([file.path for file in files], limit=max(len(file.content) for file in files))
        except TransientError as error:
            return dict.fromkeys((file.path for file in files), error)
        damaged = [f.path for f, raw in zip(files, found, strict=True) if isinstance(raw, bytes) and raw != f.content]
        if damaged:
            self.remove(damaged)
        return {path: TransientError(f"{tame(path)} has other bytes on the server than were sent.") for path in damaged}

    def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
        manners = self._session.manners
        rename = rename_operations.rename if manners.never_replaces else rename_operations.rename_to_free_name
        return self._session.run([rename(move.source, move.target, manners) for move in moves])

    def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
        outcomes = self._session.run([file_operations.lstat(path) for path in paths])
        return [
            _entry(path.rpartition("/")[2], outcome) if isinstance(outcome, Attributes) else outcome
            for path, outcome in zip(paths, outcomes, strict=True)
        ]

    def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
        manners = self._session.manners
        return self._session.run([file_operations.read_file(path, limit, manners) for path in paths])

    def read_listed(
        self, paths: Sequence[str], sizes: Sequence[int], *, limit: int
    ) -> list[bytes | ConnectorError | None]:
        manners = self._session.manners
        return self._session.run(
            [file_operations.read_file(path, limit, manners, size) for path, size in zip(paths, sizes, strict=True)]
        )

    def remove(self, paths: Sequence[str]) -> list[ConnectorError | None]:
        return self._session.run([file_operations.remove(path) for path in paths])

    def list(self, directory: str) -> Iterator[Entry]:
        handle = self._session.ask(folder_operations.open_directory(directory))
        self._session.listings += 1
        try:
            wave, at_end = _FIRST_WAVE, False
            while not at_end:
                named, at_end = self._session.ask(folder_operations.read_directory(handle, directory, wave))
                yield from (_entry(name, attributes) for name, attributes in named if _is_a_name(name))
                wave = min(2 * wave, _LARGEST_WAVE)
        finally:
            if not self._session.is_closed:
                self._session.ask(folder_operations.close_directory(handle))
                self._session.listings -= 1

    def make_directory(self, path: str) -> None:
        self._session.ask(folder_operations.make_directory(path))

    def close(self) -> None:
        self._session.close()


def _is_a_name(name: str) -> bool:
    """Servers name `.` and `..` too, and a hostile one might name a path."""
    return name not in {"", ".", ".."} and "/" not in name


def _entry(name: str, attributes: Attributes) -> Entry:
    return Entry(
        name=name,
        size=min(attributes.size or 0, LARGEST),
        modified_at=float(attributes.modified_at or 0),
        is_file=attributes.is_file,
    )
