"""What lies at the place, against the exports that it could belong to."""

import time
from collections.abc import Collection, Iterator, Sequence

from connectors.dropzones.temporaries import is_old
from connectors.inspection import Inspection, PlacedFile
from exports.file_batches import batches
from exports.models import ERPExport
from exports.reconciliation.findings import Finding, Kind, Repair
from exports.reconciliation.run import Run, mended
from exports.transitions import ExportStatus


def compare(run: Run, inspection: Inspection) -> Iterator[tuple[int, list[Finding]]]:
    """By the batch: how many files there were, and what is wrong with them."""
    for batch in batches(inspection.documents()):
        run.keep_lanes()
        orphans, unexpected = _sorted(run, batch)
        findings = [Finding(kind=Kind.UNEXPECTED, file=file.path) for file in unexpected]
        yield len(batch), [*findings, *_orphaned(run, inspection, orphans)]


Orphan = tuple[PlacedFile, ERPExport]


def _sorted(run: Run, batch: Sequence[PlacedFile]) -> tuple[list[Orphan], list[PlacedFile]]:
    """Temporary files that nobody needs, and files that nobody knows. A final name that an export of this connection
    has is looked at with that export."""
    exports = {export.filename: export for export in _exports(run, _final_names(batch))}
    orphans: list[Orphan] = []
    unknown: list[PlacedFile] = []
    for file in batch:
        export = exports.get(file.temporary_of or "")
        if file.name in exports:
            continue
        if export and is_old(file.modified_at, time.time()) and not is_needed(export):
            orphans.append((file, export))
        elif not export and file.is_ours:
            unknown.append(file)
    neighbours = _known_to_neighbours(run, _final_names(unknown)) if unknown else set()
    return orphans, [file for file in unknown if not neighbours & _final_names([file])]


def is_needed(export: ERPExport) -> bool:
    """Whether a try, or a person whom a failed one has told of it, may still look for the export's temporary file."""
    if export.status == ExportStatus.FAILED:
        return bool(export.staged_path) and export.sent_at is None and not hasattr(export, "superseded_by")
    return export.status == ExportStatus.PENDING


def _final_names(files: Sequence[PlacedFile]) -> set[str]:
    return {name for file in files for name in (file.name, file.temporary_of) if name}


def _exports(run: Run, names: Collection[str]) -> "Iterator[ERPExport]":
    rows = ERPExport.objects.filter(connection=run.connection, filename__in=names).select_related("superseded_by")
    return rows.iterator()


def _known_to_neighbours(run: Run, names: Collection[str]) -> set[str]:
    """Connections of one organization may share a folder."""
    of_organization = ERPExport.objects.filter(connection__organization=run.connection.organization_id)
    return set(of_organization.filter(filename__in=names).values_list("filename", flat=True))


def _orphaned(run: Run, inspection: Inspection, orphans: Sequence[Orphan]) -> list[Finding]:
    findings = [Finding(kind=Kind.ORPHANED_TEMPORARY, file=file.path, export_id=export.pk) for file, export in orphans]
    if Repair.TEMPORARIES not in run.repairs:
        return findings
    outcomes = inspection.remove([file for file, _ in orphans])
    return [mended(finding, error) for finding, error in zip(findings, outcomes, strict=True)]
