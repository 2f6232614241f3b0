"""One demo at a time in a folder, and every one starts with an empty folder."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from django.core.management.base import CommandError


@contextmanager
def fresh_folder(folder: Path) -> Iterator[TextIO]:
    """The lock on `folder`, empty now. It takes the process ids that whoever finds it locked is told to end.

    Processes that inherit the lock hold it too, so that no demo starts among the leftovers of a killed one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"A demo is running in {folder} already. {_how_to_end(lock)}") from None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        lock.truncate(0)
        note(lock, os.getpid())
        yield lock


def note(lock: TextIO, process_id: int) -> None:
    lock.write(f"{process_id}\n")
    lock.flush()


def _how_to_end(lock: TextIO) -> str:
    lock.seek(0)
    return f"Press Ctrl-C where it runs, or `kill {' '.join(lock.read().split())}`."
