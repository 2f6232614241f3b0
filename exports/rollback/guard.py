"""Detects that the database went back in time: a restored backup, or a failover that lost commits.

A journal commit gets a number and a random stamp, is written outside the database, and only then publishes. So the
database knows every stamp that lies outside, whatever crashes, unless it lost a commit. What is committed and not
yet outside has published nothing.
"""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from uuid import uuid4

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from connectors.sftp.pool import sessions
from exports.models.installation import Installation, JournalMark, held
from exports.rollback import entries, journal_storage, peers, pruning
from exports.rollback.entries import Line, Mark

logger = logging.getLogger(__name__)

# The newest marks of each place are looked up in the database; more than can be under way at once.
LOOKED_UP = 100
# How many numbers keep their mark in the database, and how often the older ones are deleted.
REMEMBERED, FORGET_EVERY = 20_000, 1000

# One question instead of two, while all lanes wait for the row.
_NEXT_NUMBER = (
    f"UPDATE {Installation._meta.db_table} SET counter = counter + 1 WHERE id = %s AND held_since IS NULL "  # noqa: S608
    "RETURNING counter"
)

# Processes by their id: one that was forked has yet to check.
_checked: set[int] = set()


class Held(Exception):
    """Deliveries and polls are held until a person has run `manage.py recover`."""


def installation_row() -> Installation:
    """The row of this database. The migration makes it, so that every backup has one."""
    return Installation.objects.get_or_create(pk=Installation.KEY)[0]


def home_of(row: Installation) -> str:
    return f"{journal_storage.ROOT}/{row.uuid.hex}"


def first_look() -> bool:
    """Before a lane is taken: a process checks for a rollback before its first one. True when it found one."""
    return os.getpid() not in _checked and look()


def look() -> bool:
    """Check for a rollback now. True when deliveries and polls are held."""
    try:
        begin_check().require()
    except Held:
        return True
    _checked.add(os.getpid())
    return held() is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """Whether the database still knows what lies outside; the places are listed while other work goes on."""

    row: Installation
    _archive: "Future[list[Mark]] | None"
    _local: "Future[list[Mark]]"

    def require(self) -> None:
        """Raises `Held`."""
        if self.row.counter == 0:
            _require_no_other_journal(self.row)
        found = [*(journal_storage.outcome(self._archive) or []), *_listed(self._local)]
        unknown = unknown_marks(found)
        if unknown:
            newest = max(unknown).number
            raise hold(
                f"The database does not know journal entry {newest}, which lies outside of it: it went back in time, "
                "by a restored backup or a failover that lost commits. Run `manage.py recover`."
            )


def begin_check() -> Check:
    row = installation_row()
    home = home_of(row)
    return Check(
        row=row,
        _archive=journal_storage.ask_archive(lambda storage: journal_storage.newest(storage, home, LOOKED_UP)),
        _local=journal_storage.ask_local(lambda storage: journal_storage.newest(storage, home, LOOKED_UP)),
    )


def unknown_marks(found: Sequence[Mark]) -> list[Mark]:
    """Those that this database has no commit for. Read after they were listed: a mark is written after its commit."""
    if not found:
        return []
    lowest = min(mark.number for mark in found)
    known = set(JournalMark.objects.filter(number__gte=lowest).values_list("stamp", flat=True))
    missing = [mark for mark in found if mark.stamp not in known]
    if not missing:
        return []
    # In this order: marks that are deleted in between are not missed.
    row = Installation.objects.get(pk=Installation.KEY)
    return [mark for mark in missing if mark.number > row.forgotten]


def hold(reason: str) -> Held:
    """Stop all lanes. Gives the exception to raise."""
    installation_row()
    rows = Installation.objects.filter(pk=Installation.KEY, held_since=None)
    if rows.update(held_since=Now(), held_because=reason[:500]):
        logger.error("All deliveries and polls are held: %s", reason)
    sessions.close_all()
    return Held(reason)


def number() -> Mark:
    """In the transaction that writes the journal, as its last step: the row is locked until the commit, so that the
    numbers have the order of the commits. Raises `Held`."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_NUMBER, [Installation.KEY])
        row = cursor.fetchone()
    if row is None:
        raise Held("Deliveries and polls are held. Run `manage.py recover`.")
    mark = Mark(number=row[0], stamp=uuid4())
    JournalMark.objects.create(number=mark.number, stamp=mark.stamp)
    if mark.number % FORGET_EVERY == 0:
        _forget(mark.number - REMEMBERED)
    return mark


def publishable(check: Check, mark: Mark, lines: Sequence[Line] = ()) -> None:
    """After that commit, before anything of it shows outside. Where no place takes the entry, the delivery goes on:
    a second failure would have to follow before it is missed."""
    if not journal_storage.put(home_of(check.row), mark, entries.encode(lines)):
        logger.error("Journal entry %s is in the database alone. A rollback would not be noticed.", mark.number)
    if mark.number % FORGET_EVERY == 0:
        pruning.prune(home_of(check.row))


def _listed(asked: "Future[list[Mark]]") -> list[Mark]:
    try:
        return asked.result(timeout=journal_storage.PATIENCE_S)
    except (OSError, TimeoutError) as error:
        logger.warning("The local journal cannot be read: %s", error)
        return []


def _forget(up_to: int) -> None:
    if up_to > 0:
        Installation.objects.filter(pk=Installation.KEY, forgotten__lt=up_to).update(forgotten=up_to)
        JournalMark.objects.filter(Q(number__lte=up_to)).delete()


def _require_no_other_journal(row: Installation) -> None:
    from exports.models import ERPExport  # noqa: PLC0415 - the models import those of this package

    # Whatever is sent without a journal never counts up.
    if not ERPExport.objects.exclude(staged_path="").exists():
        return
    if others := peers.of_others(row):
        raise hold(
            f"The database sent orders before it kept a journal outside, and the journal of {', '.join(others)} lies "
            "there: this is a backup from before it. Run `manage.py recover`."
        )
