"""The journal entries outside the database that the database does not know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.core.files.storage import Storage

from exports.models.installation import Installation, JournalMark
from exports.recovery.report import Report
from exports.rollback import entries, guard, journal_storage
from exports.rollback.entries import SHARD, Line, Mark, Unreadable

# So many lines are restored in one transaction.
CHUNK = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """`places` have the entry, by the name that people read."""

    marks: Sequence[Mark]
    places: Mapping[Mark, Sequence[Storage]]
    home: str
    is_complete: bool

    def chunks(self, report: Report) -> Iterator[list[Line]]:
        """All lines, the oldest entry first."""
        chunk: list[Line] = []
        for mark in self.marks:
            chunk += self._lines(mark, report)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        yield chunk

    def _lines(self, mark: Mark, report: Report) -> list[Line]:
        for storage in self.places[mark]:
            try:
                with storage.open(f"{self.home}/{mark.name}") as file:
                    return entries.decode(file.read())
            except Unreadable:
                # Cut off while it was written, so that nothing was published.
                continue
            except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
                report.problems.append(f"Journal entry {mark.name} cannot be read: {error}")
        return []


def find(row: Installation, report: Report) -> Lost:
    """Whatever lies in the places that can be listed; the others are problems of the `report`."""
    home = guard.home_of(row)
    # A database that went back may have committed some since, under numbers that were taken.
    first = max(0, row.counter // SHARD - 1)
    places: dict[Mark, list[Storage]] = {}
    for name, storage in journal_storage.places().items():
        try:
            for mark in _marks(storage, home, first):
                places.setdefault(mark, []).append(storage)
        except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
            report.problems.append(f"The journal in {name} cannot be listed: {error}")
    marks = sorted(guard.unknown_marks(list(places)))
    report.lost = len(marks)
    report.gaps = [*_gaps(marks, row)]
    return Lost(marks=marks, places=places, home=home, is_complete=not report.gaps and not report.problems)


def _marks(storage: Storage, home: str, first: int) -> Iterator[Mark]:
    for shard in filter(entries.is_folder, journal_storage.listing(storage, home)[0]):
        if int(shard) >= first:
            names = journal_storage.listing(storage, f"{home}/{shard}")[1]
            yield from (mark for name in names if (mark := entries.mark_of(name)))


def _gaps(marks: Sequence[Mark], row: Installation) -> Iterator[str]:
    """A worker that was killed between its commit and its entry leaves one, and so does a machine's own folder."""
    if not marks:
        return
    lowest = marks[0].number
    known = JournalMark.objects.filter(number__lt=lowest).order_by("-number").values_list("number", flat=True).first()
    numbers = [max(known or 0, min(row.forgotten, lowest - 1)), *(mark.number for mark in marks)]
    for one, other in pairwise(numbers):
        if other > one + 1:
            yield str(one + 1) if other == one + 2 else f"{one + 1} to {other - 1}"
