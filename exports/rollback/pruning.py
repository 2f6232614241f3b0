"""Removing old entries of the journal outside the database."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import Storage
from django.utils import timezone

from exports.rollback import entries, journal_storage


def prune(home: str) -> None:
    """Delete what is older than any backup that may be restored. In the background: it is not urgent."""
    journal_storage.ask_archive(lambda storage: _pruned(storage, home))
    journal_storage.ask_local(lambda storage: _pruned(storage, home))


def _pruned(storage: Storage, home: str) -> None:
    oldest = timezone.now() - timedelta(days=settings.JOURNAL_KEEP_DAYS)
    for shard in sorted(filter(entries.is_folder, journal_storage.listing(storage, home)[0]), key=int)[:-2]:
        names = sorted(journal_storage.listing(storage, f"{home}/{shard}")[1])
        if names and storage.get_modified_time(f"{home}/{shard}/{names[-1]}") > oldest:
            return
        for name in names:
            storage.delete(f"{home}/{shard}/{name}")
        # A folder on a disk stays otherwise, and would be listed for ever.
        with suppress(NotImplementedError, OSError):
            Path(storage.path(f"{home}/{shard}")).rmdir()
