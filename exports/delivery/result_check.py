"""What a connector returned, checked: third-party code may return anything, and something may have been sent.

| result of an export | connector with a journal | any other |
| --- | --- | --- |
| one, valid success | sent | sent |
| one, valid failure | failed or attempted again | failed or attempted again |
| one, in doubt and retryable | attempted again: the journal tells | undecided |
| one, in doubt and not retryable | undecided | undecided |
| none, several, or one that contradicts itself | attempted again: the journal tells | undecided |
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from connectors.exceptions import TransientError
from connectors.text.sanitize import tame
from connectors.types.exports import ExportDocument, ExportResult
from exports.models.failure_cause import Cause

logger = logging.getLogger(__name__)

# A failure with one of these is the same at the next attempt.
FINAL = frozenset({Cause.REJECTED, Cause.NAME_TAKEN, Cause.LEFT_BEHIND, Cause.UNDECIDED})
NO_RESULT = "The connector did not say what became of it."
SHA256_DIGITS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Sorted:
    """`unusable` are the exports without a usable result, and why."""

    sent: list[ExportResult] = field(default_factory=list)
    failed: list[ExportResult] = field(default_factory=list)
    undecided: dict[UUID, str] = field(default_factory=dict)
    unusable: dict[UUID, str] = field(default_factory=dict)


def sort(given: Iterable[Any], export_ids: Collection[UUID], *, journals: bool) -> Sorted:
    """Each of the exports in exactly one place. Never raises."""
    by_export: dict[UUID, list[ExportResult | None]] = {export_id: [] for export_id in export_ids}
    for result in given:
        export_id, checked = _checked(result)
        if export_id in by_export:
            by_export[export_id].append(checked)
        else:
            logger.error("A connector returned a result of no export of its batch; it is ignored.")
    found = Sorted()
    for export_id, results in by_export.items():
        _place(found, export_id, results, journals=journals)
    return found


def _place(found: Sorted, export_id: UUID, results: Sequence[ExportResult | None], *, journals: bool) -> None:
    result = results[0] if len(results) == 1 else None
    if result is None:
        several = f"The connector returned {len(results)} results for it." if len(results) > 1 else ""
        contradiction = "The connector's result for it contradicts itself." if results else NO_RESULT
        found.unusable[export_id] = several or contradiction
    elif result.success:
        found.sent.append(result)
    elif result.cause == Cause.UNDECIDED or (result.in_doubt and not (journals and result.retryable)):
        found.undecided[export_id] = result.error_message or NO_RESULT
    else:
        found.failed.append(result)


def _checked(result: Any) -> tuple[UUID | None, ExportResult | None]:
    """The export that the result is about, and the result in a form that can be stored; None for what is neither."""
    try:
        if not isinstance(result, ExportResult) or type(result.export_id) is not UUID:
            return None, None
        return result.export_id, _usable(result)
    except Exception:
        # A subclass of the connector's own may raise anything.
        logger.exception("A connector's result cannot be read.")
        return None, None


def _usable(result: ExportResult) -> ExportResult | None:
    flags = (result.success, result.retryable, result.in_doubt)
    if not all(type(flag) is bool for flag in flags) or _contradicts_itself(result):
        return None
    cause = cause_of(result.cause, retryable=result.retryable)
    return ExportResult(
        success=result.success,
        export_id=result.export_id,
        document=result.document if _is_document(result.document) else None,
        dropzone_path=text(result.dropzone_path, 1024),
        error_message=text(result.error_message, 500),
        retryable=result.retryable,
        cause="" if result.success else cause,
        in_doubt=result.in_doubt,
        storage_key=result.storage_key if isinstance(result.storage_key, str) else None,
    )


def _contradicts_itself(result: ExportResult) -> bool:
    if result.success:
        return result.retryable or result.in_doubt
    return (result.retryable and result.cause in FINAL) or (not result.retryable and result.cause == Cause.UNREACHABLE)


def _is_document(document: Any) -> bool:
    if not isinstance(document, ExportDocument) or not isinstance(document.content, bytes):
        return False
    digits = document.sha256
    return isinstance(digits, str) and len(digits) == SHA256_DIGITS and set(digits) <= set("0123456789abcdef")


def text(value: Any, length: int) -> str:
    """One printable line that the column takes; what is no text is left out."""
    if type(value) is not str:
        return ""
    return value if len(value) <= length and value.isprintable() else tame(value)[:length]


def cause_of(cause: Any, *, retryable: bool) -> str:
    """A connector's own word is none that failures are counted by."""
    default = Cause.UNREACHABLE if retryable else Cause.REJECTED
    return str(cause) if isinstance(cause, str) and cause in Cause.values else default.value


def again(reasons: Mapping[UUID, str]) -> list[ExportResult]:
    """The exports without a usable result of a connector that keeps a journal: the next attempt finds out."""
    return [ExportResult.failure(export_id, TransientError(reason)) for export_id, reason in reasons.items()]
