"""The stored copies, against what was sent."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from django.utils import timezone

from connectors.exceptions import RejectedError
from exports.documents import archive
from exports.models import ERPExport
from exports.reconciliation.findings import Finding, Kind, Repair
from exports.reconciliation.run import Run, mended

READERS = 8


class StorageUnreadable(Exception):
    """The storage of copies does not answer as it should: that says nothing of the copies."""


def compare(run: Run, exports: Sequence[ERPExport]) -> list[Finding]:
    sent = [export for export in exports if _has_to_have_one(export)]
    with ThreadPoolExecutor(READERS, thread_name_prefix="copies") as pool:
        findings = [found for found in pool.map(_compared, sent) if found]
    return _repaired(findings) if Repair.COPIES in run.repairs else findings


def _has_to_have_one(export: ERPExport) -> bool:
    """What is being sent just now has its copy still on the way."""
    moment = export.sent_at or export.settled_at
    return bool(export.dropzone_path) and moment is not None and moment < timezone.now() - archive.MISSING_AFTER


def _compared(export: ERPExport) -> Finding | None:
    key = archive.key_of(export)
    try:
        digest = archive.sha256(export)
    except FileNotFoundError:
        return Finding(kind=Kind.COPY_MISSING, file=key, export_id=export.pk)
    except Exception as error:
        raise StorageUnreadable(f"The copy {key} cannot be read: {type(error).__name__}. Try again later.") from error
    if digest != export.document_sha256:
        return Finding(kind=Kind.COPY_DIFFERENT, file=key, export_id=export.pk)
    return None


def _repaired(findings: Sequence[Finding]) -> list[Finding]:
    missing = {f.export_id for f in findings if f.export_id and f.kind.repair == Repair.COPIES}
    try:
        stored = archive.store_again(missing)
    except Exception as error:
        raise StorageUnreadable(f"The storage takes no copies now: {type(error).__name__}. Try again later.") from error
    return [_told(f, stored=f.export_id in stored) if f.export_id in missing else f for f in findings]


def _told(finding: Finding, *, stored: bool) -> Finding:
    return mended(finding, None if stored else RejectedError("The order does not render to what was sent any more."))
