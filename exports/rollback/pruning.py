"""Removing old entries of the journal outside the database."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import Storage
from django.utils import timezone

from exports.rollback import entries
from exports.rollback import storage as outside


def prune(home: str) -> None:
    """Delete what is older than any backup that may be restored. In the background: it is not urgent."""
    outside.ask_archive(lambda storage: _pruned(storage, home))
    outside.ask_local(lambda storage: _pruned(storage, home))


def _pruned(storage: Storage, home: str) -> None:
    oldest = timezone.now() - timedelta(days=settings.JOURNAL_KEEP_DAYS)
    for shard in sorted(filter(entries.is_folder, outside.listing(storage, home)[0]), key=int)[:-2]:
        names = sorted(outside.listing(storage, f"{home}/{shard}")[1])
        if names and storage.get_modified_time(f"{home}/{shard}/{names[-1]}") > oldest:
            return
        for name in names:
            storage.delete(f"{home}/{shard}/{name}")
        # A folder on a disk stays otherwise, and would be listed for ever.
        with suppress(NotImplementedError, OSError):
            Path(storage.path(f"{home}/{shard}")).rmdir()
