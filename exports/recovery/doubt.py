"""What the journal outside does not cover: judged by the archived documents and by what lies at the dropzone.

A document is archived when its file is staged, so it proves that an earlier life had the order in hand, and no more
than that. Where nothing else tells, the export is held for a person.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.types.file_batches import batches
from connectors.types.inspection import Found, Inspection, PlacedFile
from exports.decisions import in_doubt
from exports.models import ERPExport, EventKind
from exports.models.status import ExportStatus
from exports.recovery import archive, decisions, documents, reconstructed
from exports.recovery.archive import Archive
from exports.recovery.orders import ACTOR
from exports.recovery.report import Report
from orderflow.tenancy.models import Organization

UNREADABLE = "The archived documents cannot be trusted to be complete, so nothing tells whether it was sent."
LYING = "A file of it lies at the dropzone, and the database does not know of it."
NO_LOOK = "The dropzone cannot be looked at, so nothing tells whether it was sent."


@dataclass(kw_only=True)
class Doubt:
    """With `distrust`, the archive may have been set back together with the database."""

    organization: Organization
    report: Report
    distrust: bool = False

    def settle(self) -> None:
        """Idempotent."""
        found = archive.of(self.organization, self.report)
        found = Archive(names=found.names, is_readable=found.is_readable and not self.distrust)
        rows = ERPConnection.objects.select_related("organization").filter(organization=self.organization)
        connections = list(rows.order_by("-is_default", "pk"))
        if connections:
            self._write_archived(found, connections[0])
        for connection in connections:
            self._at(connection, found)

    def _write_archived(self, found: Archive, connection: ERPConnection) -> None:
        """Over the default connection, until something shows another."""
        for filename in archive.unknown(self.organization, found.names):
            try:
                content = documents.archived(self.organization.pk, filename)
            except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
                self.report.problems.append(f"The archived document {filename} cannot be read: {error}")
                continue
            if content is not None:
                reconstructed.write(filename, content, connection, found, self.report)

    def _at(self, connection: ERPConnection, found: Archive) -> None:
        try:
            with ExitStack() as stack:
                inspection = documents.open_inspection(connection, stack)
                if inspection:
                    self._write_lying(connection, inspection, found)
                    self._judge(connection, inspection, found)
                    return
        except ConnectorError as error:
            self.report.problems.append(f"The dropzone of connection {connection.name!r} cannot be read: {error}")
        for export in self._waiting(connection):
            self._hold(export, reconstructed.FOUND if export.filename in found.names else NO_LOOK)

    def _write_lying(self, connection: ERPConnection, inspection: Inspection, found: Archive) -> None:
        """A slow ERP has not taken them yet."""
        for batch in batches(file for file in inspection.documents() if file.is_ours and not file.temporary_of):
            reconstructed.claim(connection, [file.name for file in batch])
            unknown = set(archive.unknown(self.organization, {file.name for file in batch}))
            files = [file for file in batch if file.name in unknown]
            for file, content in zip(files, inspection.read(files) if files else [], strict=True):
                if isinstance(content, bytes):
                    reconstructed.write(file.name, content, connection, found, self.report)

    def _waiting(self, connection: ERPConnection) -> Sequence[ERPExport]:
        rows = ERPExport.objects.select_related("connection__organization", "draft_order__customer")
        waiting = rows.filter(connection=connection, status=ExportStatus.PENDING, staged_path="")
        return list(waiting.order_by("created_at", "pk"))

    def _judge(self, connection: ERPConnection, inspection: Inspection, found: Archive) -> None:
        """What lies there with the right size was sent; what nothing tells of goes."""
        exports = self._waiting(connection)
        lying = documents.find(inspection, {export.filename: "" for export in exports}) if exports else {}
        for export in exports:
            there = lying.get(export.filename)
            if there and there.final and self._is_it(export, there.final, found):
                why = "Its file lies at the dropzone."
                decisions.was_sent(export, actor=ACTOR, why=why, path=there.final.path)
                self.report.sent.append(export.filename)
            elif why := _why_held(export, there, found):
                self._hold(export, why)

    def _is_it(self, export: ERPExport, file: PlacedFile, found: Archive) -> bool:
        """By its size: nobody else writes under that name."""
        if export.document_size is not None:
            return export.document_size == file.size
        try:
            content = documents.archived(self.organization.pk, export.filename)
        except Exception:  # noqa: BLE001 - whatever a storage backend raises
            return False
        return export.filename in found.names and content is not None and len(content) == file.size

    def _hold(self, export: ERPExport, why: str) -> None:
        waiting = ERPExport.objects.filter(pk=export.pk, status=ExportStatus.PENDING, undecided_since=None)
        if waiting.update(**in_doubt.columns(why)):
            decisions.note(export.pk, EventKind.UNDECIDED, why, actor=ACTOR)


def _why_held(export: ERPExport, there: Found | None, found: Archive) -> str:
    """Empty where it was not sent."""
    if export.filename in found.names:
        return reconstructed.FOUND
    if there and (there.final or there.temporary):
        return LYING
    return "" if found.is_readable else UNREADABLE
