"""Once: stage every file, journal them together, publish by renaming. `recovery` tells what earlier attempts did."""

import posixpath
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from connectors.dropzones.backends.base import Dropzone
from connectors.dropzones.errors import is_refusal, left_behind, suggest_direct
from connectors.dropzones.recovery import Outcome, Parcel, Placed, settle
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import ConfigError, ConnectorError, NotSentError, NotSentYetError, TransientError
from connectors.failpoints import Failpoint, reached
from connectors.ports import Journal, Staged


class Drop:
    """One batch over one open dropzone. Its temporary names bear a mark of their own: no other batch of this lease
    holder or of another uses them, so no request of another batch, however late it arrives, can change these files."""

    def __init__(self, dropzone: Dropzone, settings: DropzoneSettings, journal: Journal) -> None:
        self._dropzone = dropzone
        self._settings = settings
        self._journal = journal
        self._mark = settings.fence.next_mark()
        self._outcomes: dict[UUID, Outcome] = {}

    def deliver(self, parcels: Sequence[Parcel]) -> dict[UUID, Outcome]:
        """One outcome per parcel. Raises what the journal raises, and `LeaseLost`; nothing more of this batch is
        published then."""
        found = [self._found_again(parcel, parcel.earlier) for parcel in parcels if parcel.earlier]
        complete, damaged = self._settle([placed for placed in found if placed])
        fresh = [self._place(parcel) for parcel in parcels if not parcel.earlier]
        if damaged:
            fresh += self._given_up(damaged)
        if not self._settings.atomic_write:
            # What was journaled before temporary names were turned off is still judged by its two names.
            self._write_directly(fresh)
            fresh = []
            if not complete:
                return self._outcomes
        staged = self._stage(fresh)
        if complete or staged:
            self._commit(complete, staged)
            reached(Failpoint.JOURNALED)
        refused = self._publish([*complete, *staged])
        reached(Failpoint.PUBLISHED)
        if refused and not self._settings.atomic_write:
            # Temporary names were turned off because this place renames nothing: these orders go as the others do.
            # Nor does a temporary that nobody may remove hold them up: the same rules keep it from being renamed.
            self._write_directly(self._given_up(refused, must_go=False))
        return self._outcomes

    def _write_directly(self, placed: Sequence[Placed]) -> None:
        """No witness of an attempt is left behind, so a crash may send the order again: at least once, not once."""
        if placed:
            self._journal.unwitnessed([p.parcel.export_id for p in placed])
        written = self._dropzone.write([p.file(p.final) for p in placed])
        reached(Failpoint.WRITTEN_IN_PLACE)
        self._outcomes |= {p.parcel.export_id: error or p.final for p, error in zip(placed, written, strict=True)}

    def _place(self, parcel: Parcel) -> Placed:
        folder, name = self._settings.export_path, parcel.document.filename
        return Placed(
            parcel=parcel,
            temporary=posixpath.join(folder, self._settings.temporary_name(name, self._mark)),
            final=posixpath.join(folder, name),
        )

    def _found_again(self, parcel: Parcel, earlier: Staged) -> Placed | None:
        """The names that the earlier attempt used, even when the connection's folder is another one by now."""
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
        return Placed(parcel=parcel, temporary=temporary, final=final)

    def _given_up(self, damaged: Sequence[Placed], *, must_go: bool = True) -> list[Placed]:
        """Forget and remove temporaries that lost bytes; what comes back is to be staged anew, under another name.
        Unless they `must_go`, those come back too that the place does not let anybody remove."""
        # First the journal: it must never name a file that its holder removes, or the ERP would seem to have taken it.
        self._journal.discarded([p.parcel.export_id for p in damaged])
        reached(Failpoint.JOURNAL_DISCARDED)
        again = []
        # A rename that a former holder sent may still arrive; without the file it cannot publish the damaged bytes.
        for p, error in zip(damaged, self._dropzone.remove([p.temporary for p in damaged]), strict=True):
            if error and (must_go or not isinstance(error, ConfigError)):
                self._outcomes[p.parcel.export_id] = error
            else:
                again.append(self._place(p.parcel))
        return again

    def _stage(self, placed: Sequence[Placed]) -> list[Placed]:
        """Write; what comes back is complete."""
        staged = []
        for p, error in zip(placed, self._dropzone.write([p.file(p.temporary) for p in placed]), strict=True):
            if error:
                self._outcomes[p.parcel.export_id] = error
            else:
                staged.append(p)
        if staged:
            reached(Failpoint.STAGED)
        return staged

    def _commit(self, complete: Sequence[Placed], staged: Sequence[Placed]) -> None:
        """What an earlier attempt journaled is journaled again: it may go only while this one may publish."""
        # After a lost lease nothing is removed. What an earlier attempt journaled stays in any case.
        try:
            self._journal.staged({p.parcel.export_id: self._witness(p) for p in [*complete, *staged]})
        except ConnectorError:
            self._dropzone.remove([p.temporary for p in staged])
            raise

    def _witness(self, placed: Placed) -> Staged:
        document = placed.parcel.document
        path = f"{self._settings.place}/{placed.temporary}"
        return Staged(path=path, sha256=document.sha256, size=len(document.content))

    def _publish(self, placed: Sequence[Placed]) -> list[Placed]:
        """Rename; what the server refused or left unanswered is looked at once, and never sent again unseen. What comes
        back was refused, and its two names show that nothing happened."""
        doubtful, unsent, refused = [], [], list[Placed]()
        for p, error in zip(placed, self._renamed(placed), strict=True):
            self._outcomes[p.parcel.export_id] = error or p.final
            if isinstance(error, NotSentError | NotSentYetError):
                unsent.append(p)
            elif error:
                doubtful.append(p)
        # Where the temporary is still there, the refusal stands as the outcome. Where the session is lost, the doubt
        # stands, and the next attempt looks.
        with suppress(TransientError):
            refused, _ = self._settle(doubtful)
        self._take_back([p for p in unsent if not p.parcel.earlier])
        if self._settings.atomic_write:
            self._suggest_direct([*unsent, *refused])
        return [p for p in refused if is_refusal(self._outcomes[p.parcel.export_id])]

    def _take_back(self, unsent: Sequence[Placed]) -> None:
        """Forget what this batch staged and never sent a rename for: a later attempt could not look at its names to
        find that out. What an earlier attempt staged stays, for that may have sent one."""
        if unsent:
            self._journal.discarded([p.parcel.export_id for p in unsent])
            # A lost session leaves them to the clean-up, and the outcomes as they are.
            with suppress(TransientError):
                self._dropzone.remove([p.temporary for p in unsent])

    def _suggest_direct(self, kept: Sequence[Placed]) -> None:
        for p in kept:
            outcome = self._outcomes[p.parcel.export_id]
            if is_refusal(outcome):
                self._outcomes[p.parcel.export_id] = suggest_direct(outcome)

    def _renamed(self, placed: Sequence[Placed]) -> Sequence[ConnectorError | None]:
        """A session that was lost over the staging of some has told why already, and that is what they keep."""
        try:
            return self._dropzone.rename([p.move for p in placed]) if placed else []
        except TransientError as error:
            return [error] * len(placed)

    def _settle(self, placed: Sequence[Placed]) -> tuple[list[Placed], list[Placed]]:
        """Those that were not published: the complete temporaries, and the damaged ones."""
        settled = settle(self._dropzone, self._settings, placed)
        self._outcomes |= settled.outcomes
        return settled.complete, settled.damaged
