"""Renaming that never replaces, which `rename(2)` does, and that is one step: a second name, then without the first,
would be two, and an ERP that takes the file between them leaves a temporary that looks as if it had not been published.
"""

import ctypes
import errno
import os
from typing import NamedTuple

# Linux's; None elsewhere.
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
_NO_REPLACE = 1

# What a kernel and a file system answer that cannot do it; NFS is one.
_CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


class Place(NamedTuple):
    """A name in a folder that is open."""

    folder: int
    name: str


def rename_without_replacing(source: Place, target: Place) -> None:
    """Raises `FileExistsError`, or another `OSError`; nothing was renamed then."""
    code = _rename_if_free(source, target)
    if code in _CANNOT:
        _rename_where_nothing_is(source, target)
    elif code:
        raise OSError(code, os.strerror(code), target.name)


def _rename_if_free(source: Place, target: Place) -> int:
    """The error's number, 0 for none."""
    if _renameat2 is None:
        return errno.ENOSYS
    names = os.fsencode(source.name), os.fsencode(target.name)
    failed = _renameat2(source.folder, names[0], target.folder, names[1], ctypes.c_uint(_NO_REPLACE))
    return ctypes.get_errno() if failed else 0


def _rename_where_nothing_is(source: Place, target: Place) -> None:
    """Looks first, and relies on being the only publisher, which the lane's lease sees to."""
    try:
        os.stat(target.name, dir_fd=target.folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name)
