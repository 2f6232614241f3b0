"""What every dropzone can do: files in batches, one outcome per file, no file half visible."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from connectors.exceptions import ConnectorError


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingFile:
    path: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    source: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A directory entry, links not followed. `size` in bytes, `modified_at` in seconds since the epoch.

    A name that is not UTF-8 carries surrogate escapes: never ours, and never to be stored.
    """

    name: str
    size: int
    modified_at: float
    is_file: bool


class Dropzone(ABC):
    """One open session with the place that an ERP reads from. Paths are POSIX strings in the place's own terms.

    Batch calls give one outcome per item, in order, and never raise for a single item. When the session is lost
    in the middle, the items without an answer come back as `InDoubtError`, or as `TransientError` where nothing can
    have changed, and later calls raise `TransientError`.
    """

    @abstractmethod
    def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
        """Create or replace each file, close it with its status checked, compare its size.

        A file that fails is removed where that is possible.
        """

    @abstractmethod
    def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
        """Plain rename. An existing target is never replaced: `TargetExistsError` where the place can tell."""

    @abstractmethod
    def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
        """None: there is no such file."""

    @abstractmethod
    def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
        """At most `limit` bytes of each regular file; a longer one is a `RejectedError`. None: no such file."""

    def read_listed(
        self, paths: Sequence[str], sizes: Sequence[int], *, limit: int
    ) -> list[bytes | ConnectorError | None]:
        """As `read`, of what `list` has just shown to be regular files of these sizes: it may save a look at each."""
        del sizes
        return self.read(paths, limit=limit)

    @abstractmethod
    def remove(self, paths: Sequence[str]) -> list[ConnectorError | None]:
        """A file that is gone already counts as removed."""

    @abstractmethod
    def list(self, directory: str) -> Iterator[Entry]:
        """Entries as they come, without `.` and `..`; other calls may be made meanwhile.

        Taking the first raises `ConfigError` when the directory cannot be listed.
        """

    @abstractmethod
    def make_directory(self, path: str) -> None:
        """An existing directory is fine. Raises `ConnectorError`."""

    @abstractmethod
    def close(self) -> None:
        """Idempotent, never raises."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
