"""Whether the journal could be written outside the database now, also while nothing is sent."""

from django.core.files.storage import Storage
from django.utils import timezone

from exports.rollback import journal_storage, place_faults
from exports.rollback.durable_write import save

# Beside the folders of the journals, which have no file of this kind.
NAME = f"{journal_storage.ROOT}/writable.txt"


def look() -> None:
    """Write a small file to each place, and record which ones fail on this machine. Never raises for a place."""
    content = f"OrderFlow wrote this at {timezone.now().isoformat()} to see whether it can.".encode()
    asked = journal_storage.ask_archive(lambda storage: _saved(storage, content))
    try:
        save(journal_storage.local(), NAME, content)
    except OSError as error:
        place_faults.failed(place_faults.FOLDER, error)
    else:
        place_faults.worked(place_faults.FOLDER, whoever_wrote=True)
    journal_storage.written(asked, whoever_wrote=True)


def _saved(storage: Storage, content: bytes) -> bool:
    save(storage, NAME, content)
    return True
