"""The files that the ERP answered with, against the ledger."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import UUID

from connectors.exceptions import ConnectorError, RejectedError, TransientError
from connectors.ports import AckEntry, AckInbox
from connectors.types.file_batches import BATCH, batches
from connectors.types.inspection import Inspection
from exports.acks import recorder as ack_recorder
from exports.models import AckFile, ERPExport, Lane, Verdict
from exports.reconciliation.findings import Finding, Kind, Repair
from exports.reconciliation.run import Run, mended

# A poll comes by more often, unless something keeps it from it.
UNREAD_AFTER_S = 3600


def compare(run: Run, inbox: AckInbox) -> Iterator[tuple[int, list[Finding]]]:
    """What lies where the ERP answers. By the batch: how many files there were, and what is wrong with them."""
    for batch in batches(inbox.entries()):
        run.keep_lanes()
        exports = _exports(run, [entry.export_filename for entry in batch])
        ours = [entry for entry in batch if entry.export_filename in exports]
        verdicts = _verdicts(run, inbox, ours)
        waiting = [entry for entry in ours if entry not in verdicts and _waits_long(entry)]
        unread = [_finding(Kind.ANSWER_NOT_READ, entry.name, exports[entry.export_filename]) for entry in waiting]
        # A poll that is at it does what there is to do.
        under_way = run.is_under_way(Lane.Kind.ACKS)
        yield len(batch), [] if under_way else [*unread, *_not_archived(run, inbox, verdicts, exports)]


def _waits_long(entry: AckEntry) -> bool:
    return time.time() - entry.modified_at > UNREAD_AFTER_S


def compare_archived(run: Run, inspection: Inspection) -> Iterator[tuple[int, list[Finding]]]:
    """The same of what lies among the answers that were read."""
    batch: list[tuple[str, AckEntry]] = []
    for answer in inspection.archived_answers():
        batch.append(answer)
        if len(batch) == BATCH:
            yield len(batch), _unrecorded(run, batch)
            batch = []
    yield len(batch), _unrecorded(run, batch)


def _unrecorded(run: Run, answers: Sequence[tuple[str, AckEntry]]) -> list[Finding]:
    run.keep_lanes()
    exports = _exports(run, [entry.export_filename for _, entry in answers])
    rows = AckFile.objects.filter(connection=run.connection, name__in=[entry.name for _, entry in answers])
    recorded = set(rows.values_list("name", flat=True))
    return [
        _finding(Kind.ANSWER_NOT_RECORDED, path, exports[entry.export_filename])
        for path, entry in answers
        if entry.export_filename in exports and entry.name not in recorded
    ]


def _exports(run: Run, filenames: Collection[str]) -> dict[str, UUID]:
    """Of the time span. An answer to no export of this connection may be a neighbour's."""
    rows = ERPExport.objects.filter(connection=run.connection, filename__in=filenames)
    rows = rows.filter(created_at__gte=run.since, created_at__lt=run.until)
    return dict(rows.values_list("filename", "pk"))


def _verdicts(run: Run, inbox: AckInbox, entries: Sequence[AckEntry]) -> dict[AckEntry, str]:
    """What was decided of the very files that lie there, by their bytes; without those that were not read yet."""
    rows = AckFile.objects.filter(connection=run.connection, name__in=[entry.name for entry in entries])
    decided: dict[str, dict[str, str]] = defaultdict(dict)
    for name, digest, verdict in rows.exclude(sha256="").values_list("name", "sha256", "verdict"):
        decided[name][digest] = verdict
    known = [entry for entry in entries if entry.name in decided]
    contents = inbox.read(known) if known else []
    digests = {entry: _sha256(content) for entry, content in zip(known, contents, strict=True)}
    return {entry: decided[entry.name][d] for entry, d in digests.items() if d in decided[entry.name]}


def _sha256(content: bytes | ConnectorError | None) -> str:
    """As the ledger has it: of nothing, where the file is more than is read."""
    if isinstance(content, RejectedError):
        content = b""
    if isinstance(content, TransientError):
        raise content
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""


def _not_archived(
    run: Run, inbox: AckInbox, verdicts: Mapping[AckEntry, str], exports: Mapping[str, UUID]
) -> Iterator[Finding]:
    for quarantine in (False, True):
        entries = [entry for entry, verdict in verdicts.items() if (verdict == Verdict.MALFORMED) is quarantine]
        findings = [_finding(Kind.ANSWER_NOT_ARCHIVED, e.name, exports[e.export_filename]) for e in entries]
        if Repair.ANSWERS not in run.repairs:
            yield from findings
            continue
        outcomes = inbox.archive(entries, quarantine=quarantine)
        reasons = {e.name: str(error or "") for e, error in zip(entries, outcomes, strict=True)}
        ack_recorder.note_left(run.connection, reasons)
        yield from (mended(finding, error) for finding, error in zip(findings, outcomes, strict=True))


def _finding(kind: Kind, file: str, export_id: UUID) -> Finding:
    return Finding(kind=kind, file=file, export_id=export_id)
