"""Paths of the dropzones that are kept here: below a root, with or without a slash in front."""

from connectors.exceptions import RejectedError
from connectors.text.sanitize import tame

Names = tuple[str, ...]


def split_path(path: str) -> Names:
    """The names from the root down; none for the root itself. Raises `RejectedError`."""
    names = tuple(name for name in path.split("/") if name not in {"", "."})
    if ".." in names or "\0" in path:
        raise RejectedError(f"{tame(path)} leads out of its folder.")
    return names


def split_file_path(path: str) -> tuple[Names, str]:
    """The folder's names and the file's. Raises `RejectedError`."""
    *folder, name = split_path(path) or ("",)
    if not name:
        raise RejectedError(f"'{tame(path)}' names no file.")
    return tuple(folder), name
