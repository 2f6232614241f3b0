"""The folders that a connection in filesystem mode names: which are missing, and how they are created."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.dropzones.backends.paths import split_path
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import ConfigError

# As docs/reference/configuration.md creates them by hand.
ON_THE_WAY, FOR_FILES = 0o755, 0o2775


def missing(settings: DropzoneSettings) -> list[str]:
    """By their paths in the config, as this process sees them; none for a server. Raises `ConnectorError`."""
    if settings.target is not None:
        return []
    paths = [path for path in (settings.export_path, settings.ack_path) if path]
    return [path for path in paths if not Path(settings.root, *split_path(path)).is_dir()]


def make(settings: DropzoneSettings) -> list[str]:
    """Create what is missing, and the root above it; the paths that were. The ERP may run as another user: whatever the
    umask is, everybody may pass, and the group of a named folder may put files into it and take them out.

    Raises `ConnectorError`.
    """
    wanted = missing(settings)
    _make_root(Path(settings.root), FOR_FILES if any(not split_path(path) for path in wanted) else ON_THE_WAY)
    dropzone = LocalDropzone(settings.root)
    try:
        # From the top down: a folder that is named may lie on the way to another one.
        for path in sorted(wanted, key=lambda path: len(split_path(path))):
            *above, named = ["", *_steps(path)]
            for step in above:
                dropzone.make_directory(step, ON_THE_WAY)
            dropzone.make_directory(named, FOR_FILES)
    finally:
        dropzone.close()
    return wanted


def _make_root(root: Path, mode: int) -> None:
    try:
        for folder in reversed([each for each in (root, *root.parents) if not each.is_dir()]):
            folder.mkdir(exist_ok=True)
            _set_mode(folder, mode if folder == root else ON_THE_WAY)
    except OSError as error:
        text = f"{root} cannot be created: {(error.strerror or 'no reason given').lower()}."
        raise ConfigError(f"{text} Create it on the server.") from error


def _set_mode(folder: Path, mode: int) -> None:
    """Mounted shares may have permissions of their own, and reject any others."""
    with suppress(OSError):
        folder.chmod(mode | folder.stat().st_mode & stat.S_ISGID)


def _steps(path: str) -> Iterator[str]:
    """Each folder on the way, from the top down."""
    names = split_path(path)
    for place in range(1, len(names) + 1):
        yield "/".join(names[:place])
