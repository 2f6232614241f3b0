"""Writes a file to a storage so that it is there after a power cut, where the storage is a folder."""

import os
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from orderflow.environment.private_storage import PrivateFolder


def save(storage: Storage, name: str, content: bytes) -> None:
    """Durable when it returns. Raises `OSError`, or what the backend raises."""
    try:
        path = Path(storage.path(name))
    except NotImplementedError:
        storage.save(name, ContentFile(content))
    else:
        if isinstance(storage, PrivateFolder):
            storage.make()
        _save_locally(path, content)


def _save_locally(path: Path, content: bytes) -> None:
    """A batch waits for this twice, so it does what Django's storage does without the questions in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
