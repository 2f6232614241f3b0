"""Access to a folder of this machine that never leaves it.

Every name is opened from its parent's descriptor, without following links: what is checked is what is used, whoever
changes the folders meanwhile. Special files are never opened for work: a FIFO would wait, a device would act.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connectors.dropzones.backends.paths import Names, split_file_path
from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    MissingError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from connectors.text.sanitize import tame

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READABLE = stat.S_IRGRP | stat.S_IROTH
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class ConfinedRoot:
    def __init__(self, root: str | Path) -> None:
        """Raises `ConfigError`, or `TransientError` where the place is only away. The root is the operator's: it may
        be a link."""
        try:
            self._fd: int | None = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
        except OSError as error:
            meant = failure(error, "open", str(root))
            if not isinstance(meant, ConfigError):
                # Out of descriptors, a share whose server is away: nothing that an edit could change.
                raise meant from error
            kind = MissingError if isinstance(meant, MissingError) else ConfigError
            text = f"{tame(str(root))} is no folder that can be used: {_reason(error)}. {MissingError.NEXT_STEP}"
            raise kind(text) from error

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @contextmanager
    def folder(self, names: Names) -> Iterator[int]:
        """The folder's descriptor. Raises `OSError` where a name is missing, a link or no folder."""
        if self._fd is None:
            raise TransientError("The folder has been closed. Open it again.")
        fd = os.dup(self._fd)
        try:
            for name in names:
                parent, fd = fd, os.open(name, _FOLDER, dir_fd=fd)
                os.close(parent)
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def parent(self, path: str) -> Iterator[tuple[int, str]]:
        """The descriptor of the file's folder, and its name there."""
        names, name = split_file_path(path)
        with self.folder(names) as fd:
            yield fd, name


def is_file(folder: int, name: str) -> bool:
    return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def create(folder: int, name: str) -> int:
    """A new file for writing. An old one of that name is unlinked, not emptied: it may go by a second name, under which
    it is published already."""
    fd = _create(folder, name)
    try:
        _let_read(fd, folder)
    except BaseException:
        os.close(fd)
        os.unlink(name, dir_fd=folder)
        raise
    return fd


def _create(folder: int, name: str) -> int:
    try:
        return os.open(name, _CREATE, 0o666, dir_fd=folder)
    except FileExistsError:
        if not is_file(folder, name):
            raise RejectedError(f"{tame(name)} is there already and is not a regular file.") from None
    os.unlink(name, dir_fd=folder)
    return os.open(name, _CREATE, 0o666, dir_fd=folder)


def _let_read(fd: int, folder: int) -> None:
    """Let those who may read the folder read the new file: an ERP may run as another user, and the umask of a service
    often denies everything to others."""
    own = stat.S_IMODE(os.fstat(fd).st_mode)
    _set_mode(fd, own, own | stat.S_IMODE(os.fstat(folder).st_mode) & _READABLE)


def _set_mode(fd: int, own: int, wanted: int) -> None:
    """Mounted shares may have permissions of their own, and reject any others; the delivery does not depend on them."""
    if wanted != own:
        with suppress(OSError):
            os.fchmod(fd, wanted)


def share_folder(folder: int, name: str, mode: int | None = None) -> None:
    """Give a new folder `mode`, or its parent's permissions for the group and for others. What its parent makes it
    hand on, the group, stays."""
    fd = os.open(name, _FOLDER, dir_fd=folder)
    try:
        own, parent = (stat.S_IMODE(os.fstat(each).st_mode) for each in (fd, folder))
        shared = own & ~_FOR_OTHERS | parent & _FOR_OTHERS
        _set_mode(fd, own, shared if mode is None else mode | own & stat.S_ISGID)
    finally:
        os.close(fd)


def open_to_read(folder: int, name: str) -> int:
    """A regular file. Raises `RejectedError` for anything else."""
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        # What O_NOFOLLOW answers to a link, and opening a socket.
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise _no_file(name) from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _no_file(name)
    return fd


def failure(error: OSError, doing: str, path: str) -> ConnectorError:
    kind, next_step = _MEANINGS.get(error.errno or 0, (TransientError, "Trying again may help."))
    return kind(f"Cannot {doing} {tame(path)}: {_reason(error)}. {next_step}")


def _no_file(name: str) -> RejectedError:
    return RejectedError(f"{tame(name)} is not a regular file.")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "no reason given"


_CREATE_IT = (MissingError, MissingError.NEXT_STEP)
_NO_LINKS = (ConfigError, "Every name on the path has to be a real folder, not a link.")
_PERMIT_IT = (ConfigError, "Give the user that OrderFlow runs as the right to it, then test the connection.")
_RENAME_IT = (RejectedError, "Check the length and characters of the name.")
_MAKE_ROOM = (TransientError, "Make room on that disk.")

_MEANINGS: dict[int, tuple[type[ConnectorError], str]] = {
    errno.ENOENT: _CREATE_IT,
    errno.ENOTDIR: _NO_LINKS,
    errno.ELOOP: _NO_LINKS,
    errno.EACCES: _PERMIT_IT,
    errno.EPERM: _PERMIT_IT,
    errno.EROFS: _PERMIT_IT,
    errno.EEXIST: (TargetExistsError, "Look at what is there; it was not touched."),
    errno.EISDIR: (RejectedError, "It is a folder."),
    errno.ENAMETOOLONG: _RENAME_IT,
    errno.EINVAL: _RENAME_IT,
    errno.EILSEQ: _RENAME_IT,
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EXDEV: (ConfigError, "Both names have to be on one file system."),
}
