"""The folders that a connection in filesystem mode names: which are missing, and how they are created."""

from collections.abc import Iterator
from pathlib import Path

from connectors.dropzones.config import DropzoneSettings
from connectors.dropzones.local import LocalDropzone
from connectors.dropzones.paths import split_path
from connectors.exceptions import ConfigError


def missing(settings: DropzoneSettings) -> list[str]:
    """By their paths in the config, as this process sees them; none for a server. Raises `ConnectorError`."""
    if settings.target is not None:
        return []
    paths = [path for path in (settings.export_path, settings.ack_path) if path]
    return [path for path in paths if not Path(settings.root, *split_path(path)).is_dir()]


def make(settings: DropzoneSettings) -> list[str]:
    """Create what is missing, and the root above it; the paths that were. Raises `ConnectorError`."""
    wanted = missing(settings)
    try:
        Path(settings.root).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{settings.root} cannot be created: {(error.strerror or 'no reason given').lower()}."
        raise ConfigError(f"{text} Create it on the server.") from error
    dropzone = LocalDropzone(settings.root)
    try:
        for path in wanted:
            for step in _steps(path):
                dropzone.make_directory(step)
    finally:
        dropzone.close()
    return wanted


def _steps(path: str) -> Iterator[str]:
    """Each folder on the way, from the top down."""
    names = split_path(path)
    for place in range(1, len(names) + 1):
        yield "/".join(names[:place])
