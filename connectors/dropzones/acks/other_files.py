"""What lies in the ack folder besides the acks: whose it may be, and whether it is still being written."""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.dropzones.backends.base import Entry
from connectors.types.acks import AckEntry, OtherFile, OtherKind

# What programs append to, or put before, the name of a file while they write it.
ENDINGS = frozenset(
    ("crdownload", "download", "filepart", "part", "partial", "swp", "temp", "tmp", "upload", "uploading", "writing")
)
BEGINNINGS = (".", "~", "tmp_", "tmp-", "tmp.", "temp_", "temp-", "temp.")
# Where acks are moved to.
OWN_FOLDERS = frozenset(("processed", "error"))


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherFiles:
    """How one connection judges the files that it does not read. `named_export` gives the export whose name occurs in a
    file's name, `why_not_read` the reason for such a file; `is_document` knows the names of exports, and `is_own` those
    that the connection itself puts there."""

    is_document: Callable[[str], bool]
    named_export: Callable[[str], str | None]
    why_not_read: Callable[[str, str], str]
    is_own: Callable[[str], bool]

    def is_about_another(self, ack: AckEntry) -> bool:
        """Whether an ack by its form names no export, but has the name of one in it."""
        try:
            return not self.is_document(ack.export_filename) and self.named_export(ack.name) is not None
        except Exception:  # noqa: BLE001 - as below
            return False

    def described(self, entry: Entry) -> OtherFile | None:
        """None for the folders into which acks are moved."""
        try:
            return self._described(entry) if entry.is_file else as_other(entry)
        except Exception:  # noqa: BLE001 - a connector that stumbles over a foreign name still gets its acks
            return as_other(entry)

    def _described(self, entry: Entry) -> OtherFile | None:
        if self.is_own(entry.name):
            return _file(entry, OtherKind.DOCUMENT)
        export = self.named_export(entry.name)
        mark = temporary_mark(entry.name)
        if mark:
            return _file(entry, OtherKind.TEMPORARY, export, _still_temporary(mark))
        if export is None:
            return as_other(entry)
        kind = OtherKind.DOCUMENT if entry.name.lower() == export.lower() else OtherKind.UNREAD
        return _file(entry, kind, export, self.why_not_read(entry.name, export))


def as_other(entry: Entry) -> OtherFile | None:
    """Of an entry of which no more is known."""
    if entry.is_file:
        return _file(entry, OtherKind.UNREAD)
    return None if entry.name in OWN_FOLDERS else _file(entry, OtherKind.IRREGULAR)


def temporary_mark(name: str) -> str:
    """What makes `name` that of a file which is still being written, in words; empty for any other name."""
    lower = name.lower()
    if lower.startswith(BEGINNINGS):
        return f"begins with {next(beginning for beginning in BEGINNINGS if lower.startswith(beginning))}"
    if name.endswith("~"):
        return "ends in ~"
    _, dot, ending = lower.rpartition(".")
    return f"ends in .{ending}" if dot and ending in ENDINGS else ""


def own_names(
    is_document_name: Callable[[str], bool], final_name: Callable[[str], str | None]
) -> Callable[[str], bool]:
    """Whether a file is a document of the connection's, or one that it is about to become: for a folder that both
    orders and acks are in."""

    def is_own(name: str) -> bool:
        behind = final_name(name)
        return is_document_name(name) or (behind is not None and is_document_name(behind))

    return is_own


def document_in(name: str, is_document_name: Callable[[str], bool]) -> str | None:
    """The name of a document that is left of `name` without a few of its first and last parts, in its own case or in
    small letters."""
    cuts = [place for place, character in enumerate(name) if character in "_-. ()~"]
    begins = [0, *(cut + 1 for cut in cuts[:3])]
    ends = [len(name), *reversed(cuts[-4:])]
    for spelled in dict.fromkeys((name, name.lower())):
        for begin in begins:
            for end in ends:
                if begin < end and is_document_name(spelled[begin:end]):
                    return spelled[begin:end]
    return None


def _still_temporary(mark: str) -> str:
    return (
        f"Its name still {mark}, as if it was being written. Have the ERP rename it when it is complete, or rename it."
    )


def _file(entry: Entry, kind: OtherKind, export_filename: str | None = None, reason: str = "") -> OtherFile:
    return OtherFile(
        name=entry.name,
        size=entry.size,
        modified_at=entry.modified_at,
        kind=kind,
        export_filename=export_filename,
        reason=reason if export_filename else "",
    )
