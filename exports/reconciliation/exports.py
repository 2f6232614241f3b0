"""What the database says of each file, against what lies at the place."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from django.utils import timezone

from connectors.exceptions import ConnectorError, TransientError
from connectors.types.file_batches import batches
from connectors.types.inspection import Found, Inspection, PlacedFile, Sought
from exports.models import ERPExport, Lane
from exports.models.status import ExportStatus
from exports.reconciliation.findings import Finding, Kind, Repair
from exports.reconciliation.run import Run


def compare(run: Run, inspection: Inspection, exports: Sequence[ERPExport]) -> list[Finding]:
    sought = [Sought(filename=export.filename, staged_path=export.staged_path) for export in exports]
    outcomes = inspection.find(sought)
    found = {export: _found(outcome) for export, outcome in zip(exports, outcomes, strict=True)}
    kinds = {export: kind for export in exports if (kind := _judged(export, found[export]))}
    recorded = [(e, file) for e in exports if (file := found[e].final) and e.document_sha256 and _is_same_size(e, file)]
    kinds |= dict.fromkeys(_with_other_bytes(inspection, recorded), Kind.DIFFERENT)
    findings = [_finding(export, kind, found[export]) for export, kind in _still_so(run, kinds).items()]
    return _settled(findings) if Repair.STATES in run.repairs else findings


NOWHERE = Found(final=None, temporary=None)


def _found(outcome: Found | ConnectorError | None) -> Found:
    """Where the connection leads elsewhere by now, nothing can be found."""
    if isinstance(outcome, ConnectorError):
        raise outcome
    return outcome or NOWHERE


def _judged(export: ERPExport, found: Found) -> Kind | None:
    """A file that is gone is what a dropzone is for; one that stays is how some ERPs work."""
    if found.final and not _is_same_size(export, found.final):
        return Kind.DIFFERENT
    if export.undecided_since:
        return Kind.UNDECIDED
    if export.status == ExportStatus.PENDING:
        return Kind.ARRIVED if found.final else Kind.IN_DOUBT if export.staged_path else None
    if export.status == ExportStatus.SENT:
        return Kind.MISSING if not found.final and _is_overdue(export) else None
    unanswered = export.status == ExportStatus.FAILED and not export.answered  # type: ignore[attr-defined] # annotated
    return Kind.FAILED_BUT_THERE if found.final and unanswered else None


def _is_same_size(export: ERPExport, file: PlacedFile) -> bool:
    return export.document_size in (None, file.size)


def _is_overdue(export: ERPExport) -> bool:
    return export.answer_due_at is not None and export.answer_due_at < timezone.now()


def _with_other_bytes(inspection: Inspection, recorded: Sequence[tuple[ERPExport, PlacedFile]]) -> Iterator[ERPExport]:
    """A file that may not be read, or was taken in this moment, is known by its size alone."""
    exports = {file.path: export for export, file in recorded}
    for batch in batches(file for _, file in recorded):
        for file, content in zip(batch, inspection.read(batch), strict=True):
            if isinstance(content, TransientError):
                raise content
            export = exports[file.path]
            if isinstance(content, bytes) and hashlib.sha256(content).hexdigest() != export.document_sha256:
                yield export


def _still_so(run: Run, kinds: dict[ERPExport, Kind]) -> dict[ERPExport, Kind]:
    """Without what has moved on since its row was read, or is being moved."""
    under_way = run.is_under_way(Lane.Kind.DELIVERY)
    now = dict(ERPExport.objects.filter(pk__in=[export.pk for export in kinds]).values_list("pk", "status"))
    return {
        export: kind
        for export, kind in kinds.items()
        if now[export.pk] == export.status and not (under_way and export.status == ExportStatus.PENDING)
    }


def _finding(export: ERPExport, kind: Kind, found: Found) -> Finding:
    path = found.final.path if found.final else export.dropzone_path or export.staged_path
    return Finding(kind=kind, file=path, export_id=export.pk)


def _settled(findings: Sequence[Finding]) -> list[Finding]:
    """Their next try is due at once, and the lane is woken in the end: what it finds is the state."""
    doubtful = {f.export_id for f in findings if f.export_id and f.kind.repair == Repair.STATES}
    pending = ERPExport.objects.filter(pk__in=doubtful, status=ExportStatus.PENDING, undecided_since=None)
    pending.update(next_attempt_at=None)
    return [replace(finding, repaired=finding.export_id in doubtful) for finding in findings]
