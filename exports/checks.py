"""What is wrong with how this machine keeps what was sent; `manage.py check` and every start run these."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning
from django.core.files.storage import FileSystemStorage

from exports.rollback import journal_storage
from orderflow.environment.server_urls import SQLITE_ENGINE


@register(Tags.security)
def private_folders(**_kwargs: Any) -> list[CheckMessage]:
    """Folders of order data that every user of the machine may enter."""
    return [
        CheckWarning(
            f"Every user of this machine can enter {folder}, which holds {what}.",
            hint=f"Run `chmod 700 {folder}`.",
            id="exports.W001",
        )
        for folder, what in _folders()
        if _is_open(folder)
    ]


def _folders() -> Iterator[tuple[Path, str]]:
    database = settings.DATABASES["default"]
    if database["ENGINE"] == SQLITE_ENGINE:
        yield Path(database["NAME"]).parent, "the database"
    archive = journal_storage.archive()
    if isinstance(archive, FileSystemStorage):
        yield Path(archive.location), "copies of the orders that were sent"
    yield Path(settings.STATE_DIR), "the journal of what was sent"


def _is_open(folder: Path) -> bool:
    """Whether others have rights in the folder, and may pass each folder above it."""
    try:
        own = folder.stat().st_mode
        above = [parent.stat().st_mode for parent in folder.absolute().parents]
    except OSError:
        return False
    return bool(own & stat.S_IRWXO) and all(mode & stat.S_IXOTH for mode in above)
