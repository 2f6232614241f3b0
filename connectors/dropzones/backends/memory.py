"""A dropzone without a place: for trying connectors out, and for tests of what stands on a dropzone."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from connectors.dropzones.backends.base import Dropzone, Entry, Move, OutgoingFile
from connectors.dropzones.backends.paths import Names, split_file_path, split_path
from connectors.exceptions import ConfigError, ConnectorError, RejectedError, TargetExistsError, TransientError
from connectors.text.sanitize import tame

T = TypeVar("T")


class _File(NamedTuple):
    content: bytes
    modified_at: float


class MemoryTree:
    """Folders and files that any number of dropzones share, as sessions with one server do."""

    def __init__(self, folders: Iterable[str] = ()) -> None:
        self.folders: set[Names] = {()}
        self.files: dict[Names, _File] = {}
        for folder in folders:
            names = split_path(folder)
            self.folders |= {names[:depth] for depth in range(len(names) + 1)}

    def contents(self, folder: str) -> dict[str, bytes]:
        """By name, for a look from outside."""
        names = split_path(folder)
        return {path[-1]: file.content for path, file in self.files.items() if path[:-1] == names}


class MemoryDropzone(Dropzone):
    def __init__(self, tree: MemoryTree) -> None:
        self._tree = tree
        self._closed = False

    def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
        return [self._outcome(partial(self._write, file)) for file in files]

    def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
        return [self._outcome(partial(self._rename, move)) for move in moves]

    def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
        return [self._outcome(partial(self._stat, path)) for path in paths]

    def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
        return [self._outcome(partial(self._read, path, limit)) for path in paths]

    def remove(self, paths: Sequence[str]) -> list[ConnectorError | None]:
        return [self._outcome(partial(self._remove, path)) for path in paths]

    def list(self, directory: str) -> Iterator[Entry]:
        self._require_open()
        folder = split_path(directory)
        if folder not in self._tree.folders:
            raise ConfigError(f"Cannot list {tame(directory)}: there is no such folder. Create it or correct the path.")
        for place in [*self._tree.folders, *self._tree.files]:
            entry = self._entry(place)
            if place and place[:-1] == folder and entry:
                yield entry

    def make_directory(self, path: str) -> None:
        self._require_open()
        names = split_path(path)
        if names in self._tree.files:
            raise ConfigError(f"{tame(path)} is there, but is no folder. Remove it or correct the path.")
        if names:
            self._require_folder(names[:-1], path)
        self._tree.folders.add(names)

    def close(self) -> None:
        self._closed = True

    def _outcome(self, work: Callable[[], T]) -> T | ConnectorError:
        self._require_open()
        try:
            return work()
        except ConnectorError as error:
            return error

    def _require_open(self) -> None:
        if self._closed:
            raise TransientError("The dropzone has been closed. Open it again.")

    def _require_folder(self, folder: Names, path: str) -> None:
        if folder not in self._tree.folders:
            raise ConfigError(f"There is no folder for {tame(path)}. Create it or correct the path.")

    def _write(self, file: OutgoingFile) -> None:
        place = _place(file.path)
        self._require_folder(place[:-1], file.path)
        if place in self._tree.folders:
            raise RejectedError(f"{tame(file.path)} is there already and is not a regular file.")
        self._tree.files[place] = _File(bytes(file.content), time.time())

    def _rename(self, move: Move) -> None:
        source, target = _place(move.source), _place(move.target)
        if source not in self._tree.files:
            raise RejectedError(f"{tame(move.source)} is no longer there, so it cannot be renamed.")
        self._require_folder(target[:-1], move.target)
        if target in self._tree.files or target in self._tree.folders:
            raise TargetExistsError(f"{tame(move.target)} is there already. It was not touched.")
        self._tree.files[target] = self._tree.files.pop(source)

    def _read(self, path: str, limit: int) -> bytes | None:
        place = _place(path)
        if place in self._tree.folders:
            raise RejectedError(f"{tame(path)} is not a regular file.")
        file = self._tree.files.get(place)
        if file and len(file.content) > limit:
            raise RejectedError(f"{tame(path)} has {len(file.content)} bytes, more than the {limit} that are read.")
        return file.content if file else None

    def _remove(self, path: str) -> None:
        place = _place(path)
        if place in self._tree.folders:
            raise RejectedError(f"{tame(path)} is a folder.")
        self._tree.files.pop(place, None)

    def _stat(self, path: str) -> Entry | None:
        return self._entry(_place(path))

    def _entry(self, place: Names) -> Entry | None:
        if place in self._tree.folders:
            return Entry(name=place[-1] if place else "", size=0, modified_at=0, is_file=False)
        file = self._tree.files.get(place)
        if file is None:
            return None
        return Entry(name=place[-1], size=len(file.content), modified_at=file.modified_at, is_file=True)


def _place(path: str) -> Names:
    folder, name = split_file_path(path)
    return (*folder, name)
