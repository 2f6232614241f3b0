"""Known: the answers that an ERP leaves in a folder of the dropzone."""

import posixpath
from collections.abc import Callable, Generator, Sequence
from uuid import uuid4

from connectors.dropzones.acks.other_files import OtherFiles, as_other
from connectors.dropzones.backends.base import Dropzone, Entry, Move
from connectors.exceptions import ConnectorError, TargetExistsError
from connectors.failpoints import Failpoint, reached
from connectors.ports import Ack, AckEntry, OtherFile

MAX_ACK_SIZE = 1024 * 1024

ExportFilename = Callable[[str], str | None]
Parse = Callable[[str, bytes], Ack]


class DropzoneAckInbox:
    """Answers over one open dropzone; `export_filename` and `parse` are the form that they come in, `others` judges
    what else lies in the folder."""

    def __init__(
        self,
        dropzone: Dropzone,
        folder: str,
        *,
        export_filename: ExportFilename,
        parse: Parse,
        others: OtherFiles | None = None,
    ) -> None:
        self._dropzone = dropzone
        self._folder = folder
        self._export_filename = export_filename
        self._parse = parse
        self._others = others

    def entries(self) -> Generator[AckEntry, None, None]:
        for entry in self._dropzone.list(self._folder):
            ack = self._ack(entry)
            if ack:
                yield ack

    def all_files(self) -> Generator[AckEntry | OtherFile, None, None]:
        for entry in self._dropzone.list(self._folder):
            ack = self._ack(entry)
            if ack and not (self._others and self._others.is_about_another(ack)):
                yield ack
            elif file := self._others.described(entry) if self._others else as_other(entry):
                yield file

    def _ack(self, entry: Entry) -> AckEntry | None:
        answered = self._export_filename(entry.name) if entry.is_file else None
        if not answered:
            return None
        return AckEntry(name=entry.name, export_filename=answered, size=entry.size, modified_at=entry.modified_at)

    def read(self, entries: Sequence[AckEntry]) -> list[bytes | ConnectorError | None]:
        paths = [posixpath.join(self._folder, entry.name) for entry in entries]
        return self._dropzone.read_listed(paths, [entry.size for entry in entries], limit=MAX_ACK_SIZE)

    def parse(self, entry: AckEntry, raw: bytes) -> Ack:
        return self._parse(entry.name, raw)

    def archive(self, entries: Sequence[AckEntry], *, quarantine: bool = False) -> list[ConnectorError | None]:
        if not entries:
            return []
        folder = posixpath.join(self._folder, "error" if quarantine else "processed")
        try:
            self._dropzone.make_directory(folder)
        except ConnectorError as error:
            return [error] * len(entries)
        reached(Failpoint.ARCHIVE_MADE)
        outcomes = self._dropzone.rename([self._move(e.name, folder, e.name) for e in entries])
        return [
            self._beside(entry, folder) if isinstance(outcome, TargetExistsError) else outcome
            for entry, outcome in zip(entries, outcomes, strict=True)
        ]

    def _beside(self, entry: AckEntry, folder: str) -> ConnectorError | None:
        """An ERP may answer twice under one name; neither file is lost."""
        stem, extension = posixpath.splitext(entry.name)
        (outcome,) = self._dropzone.rename([self._move(entry.name, folder, f"{stem}.{uuid4().hex[:8]}{extension}")])
        return outcome

    def _move(self, name: str, folder: str, target: str) -> Move:
        return Move(source=posixpath.join(self._folder, name), target=posixpath.join(folder, target))
