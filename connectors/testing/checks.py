"""What the contract asks of the values that a connector gives, field by field."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from connectors.ports import AckEntry, ExportAttempt, ExportDocument, ExportResult, OtherFile, OtherKind, SalesOrder


def check_files(files: Sequence[Any], entries: Sequence[AckEntry], names: Sequence[str]) -> None:
    """What `all_files` gives: the entries, and one `OtherFile` for each other file that lies there."""
    others = [file for file in files if not isinstance(file, AckEntry)]
    assert [file for file in files if isinstance(file, AckEntry)] == list(entries)
    assert sorted(file.name for file in files) == sorted(names), "A file is missing, or there twice."
    for file in others:
        assert isinstance(file, OtherFile), f"all_files gave {type(file).__name__}."
        assert isinstance(file.kind, OtherKind), "The kind of a file is no OtherKind."
        assert file.reason or not file.export_filename, "A file that names an export has no reason."
        assert len(file.reason) <= 500, "A reason is too long to be stored."


def checked_results(
    given: Iterable[Any], batch: Sequence[tuple[SalesOrder, ExportAttempt]]
) -> dict[UUID, ExportResult]:
    """By export id. What fails here leaves exports in doubt for a person, or is dropped from what is recorded."""
    results: dict[UUID, ExportResult] = {}
    expected = [one.export_id for _, one in batch]
    for result in given:
        assert isinstance(result, ExportResult), f"A result is {type(result).__name__}."
        assert result.export_id in expected, "A result is of an export that is not in the batch."
        assert result.export_id not in results, "An export has two results."
        _check_fields(result)
        results[result.export_id] = result
    assert set(results) == set(expected), "An export has no result."
    return results


def _check_fields(result: ExportResult) -> None:
    for flag in (result.success, result.retryable, result.in_doubt):
        assert isinstance(flag, bool), "A flag of a result is no bool."
    if result.success:
        assert not (result.retryable or result.in_doubt), "A success is neither retryable nor in doubt."
    else:
        assert result.error_message, "A failure has no reason."
        assert not (result.retryable and result.cause == "REJECTED"), "A rejected order is not retryable."
    document = result.document
    assert document is None or (isinstance(document, ExportDocument) and isinstance(document.content, bytes))
    for text in (result.dropzone_path, result.cause, result.error_message or "", result.storage_key or ""):
        assert isinstance(text, str), "A text of a result is no text."
        assert len(text) <= 1024, "A text of a result is too long to be stored."
