"""What becomes of the files in the ack folder that are no acks: each is in the ack log, or in one of a few counts."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.utils import timezone

from connectors.documents.naming import is_of_test
from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.ports import AckEntry, OtherFile, OtherKind
from exports.acks import unread as unread_acks
from exports.acks.folder_counts import DOCUMENTS, Counted
from exports.models import ERPExport, Verdict

# So long a file may keep a temporary name, unchanged, before it is in the ack log as not read.
TEMPORARY_S = 15 * 60
# So many of those are watched at once; the others wait until there is room.
WATCHED = 200
# So many files that are new or have changed are taken in by one poll; the next one takes the rest.
MOST = 100_000

# Of a temporary file: its size, its time, and when a poll first found it like that.
Watched = tuple[int, float, float]


class FolderAccount:
    """Of one poll. `sift` may run in a thread of its own; `enter` then follows in the poll's.

    `before` is the `summary` of the poll before. Each file that is not an ack is one of these when the poll ends:

    - UNREAD: its name contains that of an export of this connection, and it has a row in the ack log;
    - TEMPORARY: its name is one under which files are written;
    - FOREIGN: it concerns no export of this connection, or is the order file itself;
    - IRREGULAR: a folder, a link or a device;
    - TESTS: it is about the file of a connection test.
    """

    def __init__(self, connection: ERPConnection, before: Mapping[str, Any] | None) -> None:
        self._connection = connection
        self._before = before
        self._watched: dict[str, Watched] = {n: (s, m, f) for n, (s, m, f) in (before or {}).get("watched", {}).items()}
        self._logged = unread_acks.logged(connection)
        self._still: set[int] = set()
        self._left: list[OtherFile] = []
        self._counts: Counter[Counted] = Counter()
        self._documents = 0
        self._is_whole = False

    def sift(self, files: Iterable[AckEntry | OtherFile]) -> Iterator[AckEntry]:
        """The acks among `files`; the others are kept or counted."""
        for file in files:
            if isinstance(file, AckEntry):
                if file.name in self._logged:
                    self._still.add(self._logged[file.name].pk)
                yield file
            else:
                self._take(file)
        self._is_whole = True

    def of_tests(self, count: int) -> None:
        """Acks of connection tests, which are put away like the others."""
        if count:
            self._counts[Counted.TESTS] += count

    def not_readable(self, entry: AckEntry, error: ConnectorError) -> None:
        """An ack that the connection may list but not read."""
        self._keep(
            OtherFile(
                name=entry.name,
                size=entry.size,
                modified_at=entry.modified_at,
                export_filename=entry.export_filename,
                reason=str(error),
            )
        )

    def enter(self, hold: Callable[[], AbstractContextManager[None]]) -> None:
        """Log what is new or has changed, and note what is gone. `hold` opens a transaction in which only the lane's
        holder can write."""
        exports = _exports(self._connection, [file.export_filename for file in self._left if file.export_filename])
        now, watched, found = time.time(), dict[str, Watched](), list[tuple[OtherFile, UUID]]()
        for file in self._left:
            export_id, document_size = exports.get(file.export_filename or "", (None, None))
            if export_id is None or (file.kind is OtherKind.DOCUMENT and file.size == document_size):
                self._count_other(file)
            elif file.kind is OtherKind.TEMPORARY and self._is_young(file, now, watched):
                self._counts[Counted.TEMPORARY] += 1
            else:
                self._counts[Counted.UNREAD] += 1
                found.append((file, export_id))
        self._left, self._watched = [], watched
        still = self._still | {self._logged[name].pk for name in map(_name, found) if name in self._logged}
        gone = {logged.pk for logged in self._logged.values()} - still if self._is_whole else set[int]()
        if found or gone:
            with hold():
                unread_acks.enter(self._connection, found)
                unread_acks.note_gone(gone)

    def summary(self) -> Mapping[str, Any] | None:
        """What the connection's page shows, and the next poll needs; that of the poll before, where only a part of the
        folder was seen."""
        if not self._is_whole:
            return self._before
        counts = {kind.value: self._counts[kind] for kind in Counted if self._counts[kind]}
        at = timezone.now().isoformat()
        return {"at": at, "counts": counts, DOCUMENTS: self._documents, "watched": self._watched}

    def _take(self, file: OtherFile) -> None:
        if file.kind is OtherKind.IRREGULAR:
            self._counts[Counted.IRREGULAR] += 1
        elif file.export_filename and is_of_test(file.export_filename):
            self._counts[Counted.TESTS] += 1
        elif not file.export_filename:
            self._count_other(file)
        else:
            self._keep(file)

    def _count_other(self, file: OtherFile) -> None:
        self._counts[Counted.TEMPORARY if file.kind is OtherKind.TEMPORARY else Counted.FOREIGN] += 1
        self._documents += file.kind is OtherKind.DOCUMENT

    def _keep(self, file: OtherFile) -> None:
        if file.size > unread_acks.LARGEST:
            file = replace(file, size=unread_acks.LARGEST)
        if self._is_logged(file) or len(self._left) >= MOST:
            self._counts[Counted.UNREAD] += 1
        else:
            self._left.append(file)

    def _is_logged(self, file: OtherFile) -> bool:
        """As it is now; one that has changed, or could be read before, is entered again."""
        logged = self._logged.get(unread_acks.stored_name(file.name))
        if not logged or (logged.size, logged.modified_at) != (file.size, file.modified_at):
            return False
        if logged.verdict != Verdict.UNREAD:
            return False
        self._still.add(logged.pk)
        return True

    def _is_young(self, file: OtherFile, now: float, watched: dict[str, Watched]) -> bool:
        """By the time since a poll first found it as it is, or by its own time once two polls did: the server's clock
        may be wrong."""
        name = unread_acks.stored_name(file.name)
        size, modified_at, first = self._watched.get(name, (-1, 0.0, now))
        is_as_before = (size, modified_at) == (file.size, file.modified_at)
        first = min(first, now) if is_as_before else now
        if is_as_before and now - min(first, file.modified_at) >= TEMPORARY_S:
            return False
        if len(watched) < WATCHED:
            watched[name] = (file.size, file.modified_at, first)
        return True


def _name(found: tuple[OtherFile, UUID]) -> str:
    return unread_acks.stored_name(found[0].name)


def _exports(connection: ERPConnection, filenames: Iterable[str]) -> dict[str, tuple[UUID, int | None]]:
    """By file name: the id of each export of the connection, and the size of its document."""
    names = sorted(set(filenames))
    found: dict[str, tuple[UUID, int | None]] = {}
    for start in range(0, len(names), unread_acks.BATCH):
        batch = names[start : start + unread_acks.BATCH]
        rows = ERPExport.objects.filter(connection=connection, filename__any_of=batch)
        found |= {name: (pk, size) for name, pk, size in rows.values_list("filename", "pk", "document_size")}
    return found
