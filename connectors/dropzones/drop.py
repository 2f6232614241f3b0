"""Once: stage every file, journal them together, publish by renaming; and find out what an earlier try did.

| final name | temporary name | what happened | outcome |
| --- | --- | --- | --- |
| there, same bytes | gone or there | it was published | sent; remove the temporary |
| gone | there | it was not published | rename now |
| gone | gone | it was published, and the ERP took it | sent; never write again |
| gone | gone, and its name bears no lease's mark | another worker may have removed it | undecided: a person must look |
| gone | gone, with their folder | nobody can tell from here | the connection needs a person |
| there, other bytes | any | somebody else's file | failed: a person must look |
"""

import posixpath
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from connectors.dropzones.base import Dropzone, Entry, Move, OutgoingFile
from connectors.dropzones.config import DropzoneSettings, is_marked
from connectors.dropzones.refusals import first_error, left_behind, lost_with_folder, taken, unwitnessed
from connectors.exceptions import ConnectorError, TransientError
from connectors.failpoints import Failpoint, reached
from connectors.ports import ExportDocument, Journal, Staged

# Where the file is now, or why it is not there.
Outcome = str | ConnectorError


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One document on its way; `earlier` is what a try before this one journaled."""

    export_id: UUID
    document: ExportDocument
    earlier: Staged | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """A parcel with its two names at the dropzone."""

    parcel: Parcel
    temporary: str
    final: str

    @property
    def move(self) -> Move:
        return Move(source=self.temporary, target=self.final)


class Drop:
    """One batch over one open dropzone."""

    def __init__(self, dropzone: Dropzone, settings: DropzoneSettings, journal: Journal) -> None:
        self._dropzone = dropzone
        self._settings = settings
        self._journal = journal
        self._mark = settings.fence.next_mark()
        self._outcomes: dict[UUID, Outcome] = {}

    def deliver(self, parcels: Sequence[Parcel]) -> dict[UUID, Outcome]:
        """One outcome per parcel. Raises what the journal raises, and `LeaseLost`; nothing more of this batch is
        published then."""
        if not self._settings.atomic_write:
            return self._write_directly(parcels)
        found = [self._found_again(parcel, parcel.earlier) for parcel in parcels if parcel.earlier]
        complete, damaged = self._settle([placed for placed in found if placed])
        fresh = [self._place(parcel) for parcel in parcels if not parcel.earlier]
        if damaged:
            fresh += self._given_up(damaged)
        staged = self._stage(fresh)
        if complete or staged:
            self._commit(complete, staged)
            reached(Failpoint.JOURNALED)
        self._publish([*complete, *staged])
        reached(Failpoint.PUBLISHED)
        return self._outcomes

    def _write_directly(self, parcels: Sequence[Parcel]) -> dict[UUID, Outcome]:
        """No witness of a try is left behind, so a crash may send the order again: at least once, not once."""
        placed = [self._place(parcel) for parcel in parcels]
        written = self._dropzone.write([_file(p.final, p) for p in placed])
        reached(Failpoint.WRITTEN_IN_PLACE)
        return {p.parcel.export_id: error or p.final for p, error in zip(placed, written, strict=True)}

    def _place(self, parcel: Parcel) -> _Placed:
        folder, name = self._settings.export_path, parcel.document.filename
        return _Placed(
            parcel=parcel,
            temporary=posixpath.join(folder, self._settings.temporary_name(name, self._mark)),
            final=posixpath.join(folder, name),
        )

    def _found_again(self, parcel: Parcel, earlier: Staged) -> _Placed | None:
        """The names that the earlier try used, even when the connection's folder is another one by now."""
        prefix = f"{self._settings.place}/"
        change = None
        if not earlier.path.startswith(prefix):
            change = f"the connection leads to {self._settings.place} by now"
        elif earlier.sha256 != parcel.document.sha256:
            change = "the order has changed since"
        if change:
            self._outcomes[parcel.export_id] = left_behind(earlier.path, change)
            return None
        temporary = earlier.path.removeprefix(prefix)
        final = posixpath.join(posixpath.dirname(temporary), parcel.document.filename)
        return _Placed(parcel=parcel, temporary=temporary, final=final)

    def _given_up(self, damaged: Sequence[_Placed]) -> list[_Placed]:
        """Forget and remove temporaries that lost bytes; what comes back is to be staged anew, under another name."""
        # First the journal: it must never name a file that its holder removes, or the ERP would seem to have taken it.
        self._journal.discarded([p.parcel.export_id for p in damaged])
        reached(Failpoint.JOURNAL_DISCARDED)
        again = []
        # A rename that a former holder sent may still arrive; without the file it cannot publish the damaged bytes.
        for p, error in zip(damaged, self._dropzone.remove([p.temporary for p in damaged]), strict=True):
            if error:
                self._outcomes[p.parcel.export_id] = error
            else:
                again.append(self._place(p.parcel))
        return again

    def _stage(self, placed: Sequence[_Placed]) -> list[_Placed]:
        """Write; what comes back is complete."""
        staged = []
        for p, error in zip(placed, self._dropzone.write([_file(p.temporary, p) for p in placed]), strict=True):
            if error:
                self._outcomes[p.parcel.export_id] = error
            else:
                staged.append(p)
        if staged:
            reached(Failpoint.STAGED)
        return staged

    def _commit(self, complete: Sequence[_Placed], staged: Sequence[_Placed]) -> None:
        """What an earlier try journaled is journaled again: it may go only while this one may publish."""
        # After a lost lease nothing is removed. What an earlier attempt journaled stays in any case.
        try:
            self._journal.staged({p.parcel.export_id: self._witness(p) for p in [*complete, *staged]})
        except ConnectorError:
            self._dropzone.remove([p.temporary for p in staged])
            raise

    def _witness(self, placed: _Placed) -> Staged:
        document = placed.parcel.document
        path = f"{self._settings.place}/{placed.temporary}"
        return Staged(path=path, sha256=document.sha256, size=len(document.content))

    def _publish(self, placed: Sequence[_Placed]) -> None:
        """Rename; what the server refused or left unanswered is looked at once, and never sent again unseen."""
        doubtful = []
        for p, error in zip(placed, self._renamed(placed), strict=True):
            self._outcomes[p.parcel.export_id] = error or p.final
            if error:
                doubtful.append(p)
        # Where the temporary is still there, the refusal stands as the outcome. Where the session is lost, the doubt
        # stands, and the next try looks.
        with suppress(TransientError):
            self._settle(doubtful)

    def _renamed(self, placed: Sequence[_Placed]) -> Sequence[ConnectorError | None]:
        """A session that was lost over the staging of some has told why already, and that is what they keep."""
        try:
            return self._dropzone.rename([p.move for p in placed]) if placed else []
        except TransientError as error:
            return [error] * len(placed)

    def _settle(self, placed: Sequence[_Placed]) -> tuple[list[_Placed], list[_Placed]]:
        """Record what the table above says of each. Gives those back that were not published: the complete
        temporaries, and those that the place has lost bytes of since they were staged."""
        finals = self._dropzone.stat([p.final for p in placed])
        temporaries = self._dropzone.stat([p.temporary for p in placed])
        gone = [p.temporary for p, *found in zip(placed, finals, temporaries, strict=True) if found == [None, None]]
        lost = self._untold(gone)
        complete: list[_Placed] = []
        damaged: list[_Placed] = []
        published: list[_Placed] = []
        for p, final, temporary in zip(placed, finals, temporaries, strict=True):
            reached(Failpoint.LOOKED)
            if isinstance(final, ConnectorError) or isinstance(temporary, ConnectorError):
                self._outcomes[p.parcel.export_id] = first_error(final, temporary)
            elif final is None and temporary is not None:
                (complete if temporary.size == len(p.parcel.document.content) else damaged).append(p)
            elif p.temporary in lost:
                self._outcomes[p.parcel.export_id] = lost[p.temporary]
            elif final is None or self._is_ours(p, final):
                self._outcomes[p.parcel.export_id] = p.final
                published.append(p)
            else:
                self._outcomes[p.parcel.export_id] = taken(p.final)
        if published:
            self._dropzone.remove([p.temporary for p in published])
            reached(Failpoint.CLEARED)
        return complete, damaged

    def _untold(self, gone: Sequence[str]) -> dict[str, ConnectorError]:
        """Those whose absence does not show that the ERP took them."""
        place, export_path = self._settings.place, self._settings.export_path
        unmarked = {path: unwitnessed(path) for path in gone if not is_marked(posixpath.basename(path))}
        return unmarked | lost_with_folder(self._dropzone, gone, place=place, export_path=export_path)

    def _is_ours(self, placed: _Placed, final: Entry) -> bool:
        content = placed.parcel.document.content
        if final.size != len(content):
            return False
        (found,) = self._dropzone.read([placed.final], limit=len(content))
        # Taken in this moment, or not to be read: the size has to do.
        return not isinstance(found, bytes) or found == content


def _file(path: str, placed: _Placed) -> OutgoingFile:
    return OutgoingFile(path=path, content=placed.parcel.document.content)
