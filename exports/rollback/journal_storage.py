"""The journal's second home, outside the database: the storage of the archived documents, and a local folder.

The local folder is on this machine alone. It is what is left while the storage cannot be reached.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.core.files.storage import Storage, storages

from exports.rollback import entries, place_faults
from exports.rollback.durable_write import save
from exports.rollback.entries import Mark
from orderflow.environment.private_storage import PrivateFolder

logger = logging.getLogger(__name__)

ROOT = "journal"
# How long a delivery waits for the storage, and how long it is left alone after it did not respond.
PATIENCE_S = 5.0
REST_S = 30.0
WORKERS = 6

T = TypeVar("T")


@dataclass(kw_only=True)
class _Process:
    """Threads keep their connections to the storage; they do not survive a fork."""

    pid: int
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WORKERS, "marks"))
    # Requests to a storage that hangs may occupy all threads of the other one.
    local_pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WORKERS, "local marks"))
    # When the storage may be asked again, on the monotonic clock.
    archive_rests_until: float = 0.0
    # Why it is left alone, or was last.
    archive_error: Exception | None = None
    # Names that only the local folder has.
    behind: set[str] = field(default_factory=set)


_process: _Process | None = None
_lock = threading.Lock()


def process() -> _Process:
    global _process  # noqa: PLW0603 - one for each process, also after a fork
    with _lock:
        if _process is None or _process.pid != os.getpid():
            _process = _Process(pid=os.getpid())
        return _process


def archive() -> Storage:
    return storages["exports"]


def local() -> Storage:
    return PrivateFolder(location=settings.STATE_DIR, allow_overwrite=True)


def places() -> dict[str, Storage]:
    """By the name that people read."""
    return {"the storage of archived documents": archive(), f"the folder {settings.STATE_DIR}": local()}


def listing(storage: Storage, folder: str) -> tuple[list[str], list[str]]:
    """The names of folders and files. A folder that does not exist is empty."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return [], []
    return list(folders), list(files)


def newest(storage: Storage, home: str, count: int) -> list[Mark]:
    """The last `count` marks, the newest at the end; fewer where the last two folders of marks have no more."""
    folders, _ = listing(storage, home)
    names: list[str] = []
    for shard in sorted(filter(entries.is_folder, folders), key=int)[:-3:-1]:
        names += listing(storage, f"{home}/{shard}")[1]
        if len(names) >= count:
            break
    # Only as many are parsed as are needed: this is done before every batch.
    newest_first = sorted(names, key=lambda name: (len(name), name), reverse=True)
    marks = (mark for name in newest_first if (mark := entries.mark_of(name)))
    return sorted(islice(marks, count))


def journals(storage: Storage) -> dict[str, set[UUID]]:
    """The journals there by their folder, with the organizations that their newest entries are about."""
    return {name: _organizations(storage, f"{ROOT}/{name}") for name in listing(storage, ROOT)[0]}


def _organizations(storage: Storage, home: str) -> set[UUID]:
    for mark in reversed(newest(storage, home, 20)):
        with suppress(entries.Unreadable, OSError), storage.open(f"{home}/{mark.name}") as file:
            # Those of acknowledgements have no lines.
            if lines := entries.decode(file.read()):
                return {line.organization_id for line in lines}
    return set()


def ask_local(task: Callable[[Storage], T]) -> "Future[T]":
    return process().local_pool.submit(lambda: task(local()))


def ask_archive(task: Callable[[Storage], T]) -> "Future[T] | None":
    """None while the storage is left alone."""
    if time.monotonic() < process().archive_rests_until:
        return None
    return process().pool.submit(lambda: task(archive()))


def outcome(asked: "Future[T] | None") -> T | None:
    """None where the storage did not respond in time, or at all; it is left alone for a while then."""
    if asked is None:
        return None
    try:
        return asked.result(timeout=PATIENCE_S)
    except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
        process().archive_rests_until = time.monotonic() + REST_S
        process().archive_error = error
        logger.warning("The storage of archived documents cannot be used for the journal: %s", error or type(error))
        return None


def written(asked: "Future[bool] | None", *, whoever_wrote: bool = False) -> bool:
    """The outcome of a write, recorded as that of this machine. One that was left out, because the storage did not
    respond a moment ago, has failed too. A failed read says nothing about writes."""
    if outcome(asked):
        place_faults.worked(place_faults.STORAGE, whoever_wrote=whoever_wrote)
        return True
    place_faults.failed(place_faults.STORAGE, process().archive_error or TimeoutError())
    return False


def put(home: str, mark: Mark, content: bytes) -> bool:
    """In both places, at the same time. False when neither has it."""
    name = f"{home}/{mark.name}"
    asked = ask_archive(lambda storage: _saved(storage, name, content))
    try:
        save(local(), name, content)
        is_local = True
    except OSError as error:
        logger.warning("The journal cannot be kept in %s: %s", settings.STATE_DIR, error)
        place_faults.failed(place_faults.FOLDER, error)
        is_local = False
    else:
        place_faults.worked(place_faults.FOLDER)
    if written(asked):
        _catch_up()
        return True
    process().behind.add(name)
    return is_local


def _saved(storage: Storage, name: str, content: bytes) -> bool:
    save(storage, name, content)
    return True


def _catch_up() -> None:
    """The storage responds again: it gets what went to the local folder alone."""
    names, process().behind = process().behind, set()
    if names:
        process().pool.submit(lambda: _copy(sorted(names)))


def _copy(names: Sequence[str]) -> None:
    for name in names:
        try:
            with local().open(name) as file:
                content = file.read()
            save(archive(), name, content)
        except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
            logger.warning("Journal entry %s is in %s alone: %s", name, settings.STATE_DIR, error)
