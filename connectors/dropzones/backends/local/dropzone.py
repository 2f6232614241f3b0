"""A folder on this machine."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from connectors.dropzones.backends.base import Dropzone, Entry, Move, OutgoingFile
from connectors.dropzones.backends.local.durability import Disk
from connectors.dropzones.backends.local.rename import Place, rename_without_replacing
from connectors.dropzones.backends.local.sandbox import (
    ConfinedRoot,
    create,
    failure,
    is_file,
    open_to_read,
    share_folder,
)
from connectors.dropzones.backends.paths import split_path
from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from connectors.failpoints import Failpoint, reached
from connectors.fencing import Fence
from connectors.text.sanitize import tame

T = TypeVar("T")


class LocalDropzone(Dropzone):
    """Every path is below `root`, with or without a slash in front; neither `..` nor a link leads out of it.

    Every call may raise `LeaseLost` when the lease behind `fence` is lost.
    """

    def __init__(self, root: str | Path, *, fence: Fence | None = None) -> None:
        """Raises `ConfigError` when there is no such folder, `TransientError` when it cannot be reached."""
        self._root = ConfinedRoot(root)
        self._disk = Disk(self._root)
        self._fence = fence or Fence()

    def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
        outcomes = [_outcome(partial(self._write, file), "write", file.path) for file in files]
        return self._disk.made_durable(outcomes, [file.path for file in files], TransientError)

    def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
        outcomes = [_outcome(partial(self._rename, move), "rename to", move.target) for move in moves]
        return self._disk.made_durable(outcomes, [move.target for move in moves], InDoubtError)

    def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
        return [_outcome(partial(self._stat, path), "look at", path) for path in paths]

    def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
        return [_outcome(partial(self._read, path, limit), "read", path) for path in paths]

    def remove(self, paths: Sequence[str]) -> list[ConnectorError | None]:
        return [_outcome(partial(self._remove, path), "remove", path) for path in paths]

    def list(self, directory: str) -> Iterator[Entry]:
        try:
            with self._root.folder(split_path(directory)) as folder, os.scandir(folder) as found:
                for entry in found:
                    yield from _described(entry)
        except OSError as error:
            raise failure(error, "list", directory) from error

    def make_directory(self, path: str, mode: int | None = None) -> None:
        """A folder that is new has the permissions of `mode`, or those of its parent."""
        if not split_path(path):
            return
        try:
            with self._root.parent(path) as (folder, name):
                self._make_directory(folder, name, mode)
        except OSError as error:
            raise failure(error, "make the folder", path) from error

    def _make_directory(self, folder: int, name: str, mode: int | None) -> None:
        try:
            os.mkdir(name, dir_fd=folder)
            share_folder(folder, name, mode)
            self._disk.sync(folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise ConfigError(f"{tame(name)} is there, but is no folder. Remove it or correct the path.") from None

    def close(self) -> None:
        self._root.close()

    def _write(self, file: OutgoingFile) -> None:
        with self._root.parent(file.path) as (folder, name):
            self._fence.check()
            fd = create(folder, name)
            reached(Failpoint.LOCAL_FILE_CREATED)
            try:
                self._fill(fd, file)
            except BaseException:
                os.unlink(name, dir_fd=folder)
                raise
        reached(Failpoint.LOCAL_FILE_WRITTEN)

    def _fill(self, fd: int, file: OutgoingFile) -> None:
        with os.fdopen(fd, "wb") as opened:
            opened.write(file.content)
            opened.flush()
            self._disk.sync(fd)
            size = os.fstat(fd).st_size
        if size != len(file.content):
            raise TransientError(f"{tame(file.path)} has {size} bytes instead of {len(file.content)}.")

    def _rename(self, move: Move) -> None:
        with self._root.parent(move.source) as source, self._root.parent(move.target) as target:
            _require_file(source, move)
            self._fence.check()
            try:
                rename_without_replacing(Place(*source), Place(*target))
            except FileExistsError:
                raise TargetExistsError(f"{tame(move.target)} is there already. It was not touched.") from None
        reached(Failpoint.LOCAL_FILE_RENAMED)

    def _stat(self, path: str) -> Entry | None:
        try:
            with self._root.parent(path) as (folder, name):
                return _entry(name, os.stat(name, dir_fd=folder, follow_symlinks=False))
        except FileNotFoundError:
            return None

    def _read(self, path: str, limit: int) -> bytes | None:
        try:
            with self._root.parent(path) as (folder, name), os.fdopen(open_to_read(folder, name), "rb") as file:
                content = file.read(limit + 1)
        except FileNotFoundError:
            return None
        if len(content) > limit:
            raise RejectedError(f"{tame(path)} has more than the {limit} bytes that are read.")
        return content

    def _remove(self, path: str) -> None:
        try:
            with self._root.parent(path) as (folder, name):
                self._fence.check()
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return


def _outcome(work: Callable[[], T], doing: str, path: str) -> T | ConnectorError:
    try:
        return work()
    except ConnectorError as error:
        return error
    except OSError as error:
        return failure(error, doing, path)


def _require_file(source: tuple[int, str], move: Move) -> None:
    try:
        if is_file(*source):
            return
    except FileNotFoundError:
        raise RejectedError(
            f"{tame(move.source)} is no longer there, so it cannot be renamed to {tame(move.target)}."
        ) from None
    raise RejectedError(f"{tame(move.source)} is not a regular file.")


def _described(entry: "os.DirEntry[str]") -> Iterator[Entry]:
    try:
        yield _entry(entry.name, entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        # Taken since the folder was read.
        return


def _entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name=name, size=found.st_size, modified_at=found.st_mtime, is_file=stat.S_ISREG(found.st_mode))
