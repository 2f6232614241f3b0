"""What has reached the disk of a local or mounted folder, and what a disk that says no has come to."""

import errno
import logging
import os
from collections.abc import Sequence

from connectors.dropzones.backends.local.sandbox import ConfinedRoot
from connectors.dropzones.backends.paths import Names, split_path
from connectors.exceptions import ConnectorError
from connectors.text.sanitize import tame

logger = logging.getLogger(__name__)

# A file system that has no such operation, or not for this user or this kind of file: it says nothing of the bytes,
# which were written, closed and compared. Every other error decides: with EIO, ENOSPC and EDQUOT the kernel tells of
# bytes that it had taken and then failed to write (a full share says so only here), and with ESTALE or ETIMEDOUT the
# share's server may have lost them. That costs a later attempt; counting them as delivered could cost the order.
_CANNOT_SYNC = frozenset(
    {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS, errno.ENOTTY, errno.EBADF, errno.EACCES, errno.EPERM}
)


class Disk:
    """Of one session with a folder."""

    def __init__(self, root: ConfinedRoot) -> None:
        self._root = root
        self._has_warned = False

    def sync(self, fd: int) -> None:
        """Raises `OSError` where bytes may be lost."""
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
            if not self._has_warned:
                self._has_warned = True
                logger.warning("A folder does not flush to its disk, and is delivered to without: %s", error)

    def made_durable(
        self, outcomes: list[ConnectorError | None], paths: Sequence[str], kind: type[ConnectorError]
    ) -> list[ConnectorError | None]:
        """A name is only safe once its folder has reached the disk: once per folder, for the whole batch."""
        folders = [None if outcome else split_path(path)[:-1] for path, outcome in zip(paths, outcomes, strict=True)]
        failed = {names for names in set(folders) if names is not None and not self._is_synced(names)}
        return [
            kind(f"{tame(path)} may not have reached the disk.") if names in failed else outcome
            for path, names, outcome in zip(paths, folders, outcomes, strict=True)
        ]

    def _is_synced(self, names: Names) -> bool:
        try:
            with self._root.folder(names) as folder:
                self.sync(folder)
        except OSError:
            return False
        return True
