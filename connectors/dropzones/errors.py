"""Where a file that an earlier try staged can no longer be followed: only a person can look there."""

import posixpath
from collections.abc import Iterable
from typing import TypeGuard

from connectors.dropzones.backends.base import Dropzone, Entry
from connectors.dropzones.outages import MOUNT_IT
from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    LeftBehindError,
    TargetExistsError,
    TransientError,
    UndecidedError,
)


def first_error(*found: Entry | ConnectorError | None) -> ConnectorError:
    return next(each for each in found if isinstance(each, ConnectorError))


def is_refusal(outcome: object) -> TypeGuard[ConfigError | TransientError]:
    """Whether a rename failed for sure, so that nothing happened."""
    return isinstance(outcome, ConfigError | TransientError) and not isinstance(outcome, InDoubtError)


def suggest_direct(error: ConnectorError) -> ConnectorError:
    """What kept a file from being renamed, with the option that does without."""
    text = f'{error} Or turn "Write, then rename" off; orders may then arrive half written or twice.'
    return TransientError(text) if isinstance(error, TransientError) else ConfigError(text, field="atomic_write")


def taken(path: str) -> ConnectorError:
    return TargetExistsError(f"{path} is there already, with other bytes. Look at it; it was not touched.")


def left_behind(path: str, change: str) -> ConnectorError:
    return LeftBehindError(f"An earlier attempt left it at {path}, and {change}.")


def unwitnessed(path: str) -> ConnectorError:
    return UndecidedError(
        f"{path}, which an earlier version of OrderFlow staged, is gone: collected by the ERP, or removed by a worker "
        "that had lost its lease."
    )


def lost_with_folder(
    dropzone: Dropzone, staged: Iterable[str], *, place: str, export_path: str
) -> dict[str, ConnectorError]:
    """Those of the temporaries whose folder is gone: that tells nothing of them, for the share may not be mounted."""
    paths = {path: posixpath.dirname(path) for path in staged}
    # The root itself is there, or there would be no session.
    folders = sorted({folder for folder in paths.values() if folder.strip("/.")})
    found = dict(zip(folders, dropzone.stat(folders), strict=True)) if folders else {}
    lost: dict[str, ConnectorError] = {}
    for path, folder in paths.items():
        seen = found.get(folder)
        if isinstance(seen, ConnectorError):
            lost[path] = seen
        elif folder in found and seen is None:
            in_use = posixpath.normpath(folder) == posixpath.normpath(export_path)
            lost[path] = _gone(folder) if in_use else left_behind(f"{place}/{path}", "that folder is gone")
    return lost


def _gone(folder: str) -> ConnectorError:
    """A file was staged there, so the folder may return: its share may be mounted again."""
    return TransientError(f"The folder {folder} is gone. {MOUNT_IT}")
