"""What became of files that an earlier attempt staged, found out from the two names of each.

| final name | temporary name | what happened | outcome |
| --- | --- | --- | --- |
| there, same bytes | gone or there | it was published | sent; remove the temporary |
| gone | there | it was not published | rename now |
| gone | gone | it was published, and the ERP took it | sent; never write again |
| gone | gone, and bears no lease's mark | another worker may have removed it | undecided: a person must look |
| gone | gone, with their folder | nobody can tell from here | it waits for the folder |
| there, other bytes | any | somebody else's file | failed: a person must look |
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from connectors.dropzones.backends.base import Dropzone, Entry, Move, OutgoingFile
from connectors.dropzones.errors import first_error, lost_with_folder, taken, unwitnessed
from connectors.dropzones.settings import DropzoneSettings, is_marked
from connectors.exceptions import ConnectorError
from connectors.failpoints import Failpoint, reached
from connectors.ports import ExportDocument, Staged

# Where the file is now, or why it is not there.
Outcome = str | ConnectorError


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One document on its way; `earlier` is what an attempt before this one journaled."""

    export_id: UUID
    document: ExportDocument
    earlier: Staged | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the journal allows these bytes only."""
        return self.earlier is not None and self.earlier.sha256 == self.document.sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A parcel with its two names at the dropzone."""

    parcel: Parcel
    temporary: str
    final: str

    @property
    def move(self) -> Move:
        return Move(source=self.temporary, target=self.final)

    def file(self, path: str) -> OutgoingFile:
        return OutgoingFile(path=path, content=self.parcel.document.content)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What the table says of each file. Without an outcome are those that were not published: `complete` temporaries,
    and `damaged` ones that the place has lost bytes of since they were staged."""

    outcomes: dict[UUID, Outcome] = field(default_factory=dict)
    complete: list[Placed] = field(default_factory=list)
    damaged: list[Placed] = field(default_factory=list)


def settle(dropzone: Dropzone, settings: DropzoneSettings, placed: Sequence[Placed]) -> Settled:
    """Look at both names of each file, and remove the temporary where the final one was published.

    Raises `TransientError` when the session is lost, `LeaseLost` when the lease is.
    """
    settled = Settled()
    finals = dropzone.stat([p.final for p in placed])
    temporaries = dropzone.stat([p.temporary for p in placed])
    gone = [p.temporary for p, *found in zip(placed, finals, temporaries, strict=True) if found == [None, None]]
    untold = _untold(dropzone, settings, gone)
    published: list[Placed] = []
    for p, final, temporary in zip(placed, finals, temporaries, strict=True):
        reached(Failpoint.LOOKED)
        export_id = p.parcel.export_id
        if isinstance(final, ConnectorError) or isinstance(temporary, ConnectorError):
            settled.outcomes[export_id] = first_error(final, temporary)
        elif final is None and temporary is not None:
            is_complete = temporary.size == len(p.parcel.document.content)
            (settled.complete if is_complete else settled.damaged).append(p)
        elif p.temporary in untold:
            settled.outcomes[export_id] = untold[p.temporary]
        elif final is None or _is_ours(dropzone, p, final):
            settled.outcomes[export_id] = p.final
            published.append(p)
        else:
            settled.outcomes[export_id] = taken(p.final)
    if published:
        dropzone.remove([p.temporary for p in published])
        reached(Failpoint.CLEARED)
    return settled


def _untold(dropzone: Dropzone, settings: DropzoneSettings, gone: Sequence[str]) -> dict[str, ConnectorError]:
    """Those whose absence does not show that the ERP took them, with the reason."""
    unmarked = {path: unwitnessed(path) for path in gone if not is_marked(posixpath.basename(path))}
    lost = lost_with_folder(dropzone, gone, place=settings.place, export_path=settings.export_path)
    return unmarked | lost


def _is_ours(dropzone: Dropzone, placed: Placed, final: Entry) -> bool:
    content = placed.parcel.document.content
    if final.size != len(content):
        return False
    (found,) = dropzone.read([placed.final], limit=len(content))
    # Taken in this moment, or not to be read: the size has to do.
    return not isinstance(found, bytes) or found == content
