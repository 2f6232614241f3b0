"""Renaming that never replaces, which `rename(2)` does."""

import errno
import os
from typing import NamedTuple

from connectors.exceptions import InDoubtError
from connectors.hostile_text import tame

# What file systems without hard links answer.
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class Place(NamedTuple):
    """A name in a folder that is open."""

    folder: int
    name: str


def rename_without_replacing(source: Place, target: Place) -> None:
    """A second name, then without the first. Raises `FileExistsError`; `InDoubtError` when both names remain."""
    try:
        os.link(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename_where_nothing_is(source, target)
    else:
        _drop_first_name(source, target)


def _drop_first_name(source: Place, target: Place) -> None:
    try:
        os.unlink(source.name, dir_fd=source.folder)
    except OSError as error:
        raise InDoubtError(f"{tame(target.name)} is there, and {tame(source.name)} cannot be removed.") from error


def _rename_where_nothing_is(source: Place, target: Place) -> None:
    """Looks first, and relies on being the only publisher, which the lane's lease sees to."""
    try:
        os.stat(target.name, dir_fd=target.folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name)
