"""What lies in a dropzone, under the names that one connection gives its files."""

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence

from connectors.dropzones.backends.base import Dropzone, Entry
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import ConnectorError
from connectors.ports import AckEntry
from connectors.types.inspection import Found, PlacedFile, Sought

# A document's name, with what a temporary name may put around it.
NAME = re.compile(r"[A-Za-z0-9._-]{1,180}", re.ASCII)


class DropzoneInspection:
    """`is_document_name` and `export_filename` are the forms that the connector's documents and answers have."""

    def __init__(
        self,
        dropzone: Dropzone,
        settings: DropzoneSettings,
        *,
        is_document_name: Callable[[str], bool],
        export_filename: Callable[[str], str | None],
    ) -> None:
        self._dropzone = dropzone
        self._settings = settings
        self._is_document_name = is_document_name
        self._export_filename = export_filename

    def documents(self) -> Iterator[PlacedFile]:
        for entry in self._dropzone.list(self._settings.export_path):
            if entry.is_file and NAME.fullmatch(entry.name):
                yield self._placed(posixpath.join(self._settings.export_path, entry.name), entry)

    def find(self, documents: Sequence[Sought]) -> list[Found | ConnectorError | None]:
        names = [self._names(document) for document in documents]
        paths = [path for pair in names if pair for path in pair if path]
        found = dict(zip(paths, self._dropzone.stat(paths), strict=True))
        return [self._found(*pair, found[pair[0]], found.get(pair[1])) if pair else None for pair in names]

    def read(self, files: Sequence[PlacedFile]) -> list[bytes | ConnectorError | None]:
        if not files:
            return []
        return self._dropzone.read([file.path for file in files], limit=max(file.size for file in files))

    def remove(self, files: Sequence[PlacedFile]) -> list[ConnectorError | None]:
        return self._dropzone.remove([file.path for file in files])

    def archived_answers(self) -> Iterator[tuple[str, AckEntry]]:
        if not self._settings.ack_path:
            return
        for name in ("processed", "error"):
            folder = posixpath.join(self._settings.ack_path, name)
            (there,) = self._dropzone.stat([folder])
            if isinstance(there, ConnectorError):
                raise there
            # It is made when the first answer is moved.
            if there:
                yield from self._answers(folder)

    def _answers(self, folder: str) -> Iterator[tuple[str, AckEntry]]:
        for entry in self._dropzone.list(folder):
            answered = self._export_filename(entry.name) if entry.is_file else None
            if answered:
                answer = AckEntry(
                    name=entry.name, export_filename=answered, size=entry.size, modified_at=entry.modified_at
                )
                yield posixpath.join(folder, entry.name), answer

    def _names(self, document: Sought) -> tuple[str, str] | None:
        """The final and the temporary path, in the folder that the last attempt used; the latter is empty where no
        attempt journaled one."""
        folder, name = self._settings.export_path, document.filename
        if not document.staged_path:
            return posixpath.join(folder, name), ""
        prefix = f"{self._settings.place}/"
        if not document.staged_path.startswith(prefix):
            return None
        temporary = document.staged_path.removeprefix(prefix)
        return posixpath.join(posixpath.dirname(temporary), name), temporary

    def _found(
        self, final_path: str, temporary_path: str, final: Entry | ConnectorError | None,
        temporary: Entry | ConnectorError | None,
    ) -> Found | ConnectorError:  # fmt: skip
        for outcome in (final, temporary):
            if isinstance(outcome, ConnectorError):
                return outcome
        return Found(
            final=self._placed(final_path, final) if isinstance(final, Entry) else None,
            temporary=self._placed(temporary_path, temporary) if isinstance(temporary, Entry) else None,
        )

    def _placed(self, path: str, entry: Entry) -> PlacedFile:
        behind = self._settings.final_name(entry.name)
        return PlacedFile(
            path=path,
            name=entry.name,
            size=entry.size,
            modified_at=entry.modified_at,
            temporary_of=behind,
            is_ours=self._is_document_name(entry.name) or (behind is not None and self._is_document_name(behind)),
        )
