"""What lies at the place, against the exports that it could belong to."""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from connectors.types.file_batches import batches
from connectors.types.inspection import Inspection, PlacedFile
from exports.delivery.stale_temporaries import stale_temporaries
from exports.models import ERPExport
from exports.reconciliation.findings import Finding, Kind, Repair
from exports.reconciliation.run import Run, mended


def compare(run: Run, inspection: Inspection) -> Iterator[tuple[int, list[Finding]]]:
    """By the batch: how many files there were, and what is wrong with them."""
    for batch in batches(inspection.documents()):
        run.keep_lanes()
        orphans, unexpected = _sorted(run, batch)
        findings = [Finding(kind=Kind.UNEXPECTED, file=file.path) for file in unexpected]
        yield len(batch), [*findings, *_orphaned(run, inspection, orphans)]


Orphan = tuple[PlacedFile, UUID]


def _sorted(run: Run, batch: Sequence[PlacedFile]) -> tuple[list[Orphan], list[PlacedFile]]:
    """Temporary files that nobody needs, and files that nobody knows. A final name that an export of this connection
    has is looked at with that export."""
    exports = ERPExport.objects.filter(connection=run.connection, filename__in=_final_names(batch))
    known = set(exports.values_list("filename", flat=True))
    orphans: list[Orphan] = [(file, pk) for file, pk in stale_temporaries(exports, batch) if file.name not in known]
    stale = {file.path for file, _ in orphans}
    unknown: list[PlacedFile] = []
    for file in batch:
        if file.name in known or file.path in stale:
            continue
        if file.is_ours and file.temporary_of not in known:
            unknown.append(file)
    neighbours = _known_to_neighbours(run, _final_names(unknown)) if unknown else set()
    return orphans, [file for file in unknown if not neighbours & _final_names([file])]


def _final_names(files: Sequence[PlacedFile]) -> set[str]:
    return {name for file in files for name in (file.name, file.temporary_of) if name}


def _known_to_neighbours(run: Run, names: Collection[str]) -> set[str]:
    """Connections of one organization may share a folder."""
    of_organization = ERPExport.objects.filter(connection__organization=run.connection.organization_id)
    return set(of_organization.filter(filename__in=names).values_list("filename", flat=True))


def _orphaned(run: Run, inspection: Inspection, orphans: Sequence[Orphan]) -> list[Finding]:
    findings = [Finding(kind=Kind.ORPHANED_TEMPORARY, file=file.path, export_id=pk) for file, pk in orphans]
    if Repair.TEMPORARIES not in run.repairs:
        return findings
    outcomes = inspection.remove([file for file, _ in orphans])
    return [mended(finding, error) for finding, error in zip(findings, outcomes, strict=True)]
