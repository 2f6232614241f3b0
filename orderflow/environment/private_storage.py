"""A folder of files that only the user that OrderFlow runs as may enter."""

from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage


class PrivateFolder(FileSystemStorage):
    """Makes its folder at its first write, closed to everybody else; one that exists keeps its permissions, and
    `manage.py check` reports it if they are too wide."""

    def make(self) -> None:
        """Raises `OSError`."""
        Path(self.location).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _save(self, name: str, content: Any) -> str:
        self.make()
        saved: str = super()._save(name, content)  # type: ignore[misc] # the stubs lack it
        return saved
