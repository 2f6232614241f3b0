"""One export on its way through a connector: the attempt, the document, the result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from connectors.exceptions import ConnectorError, InDoubtError, UndecidedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """A complete file under its temporary name: what a later try needs to find out what became of it."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportAttempt:
    """One try at one export. The creation time, in UTC, is the export's, not the try's: names never change.

    `staged` is what an earlier try journaled; without it, that try cannot have published anything.
    """

    export_id: UUID
    created_at: datetime
    staged: Staged | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportDocument:
    """The exact bytes of one order and the name that they go by."""

    filename: str
    content: bytes
    sha256: str

    @property
    def size(self) -> int:
        return len(self.content)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportResult:
    """What became of one export.

    Of a success, `document` is what was sent and `dropzone_path` where it lies, as far as there is such a place; what
    is left out, the core renders itself or leaves unknown. `storage_key` is the copy's, once there is one.

    Of a failure, `retryable` says whether a later attempt can help, `cause` is its stable word, and `in_doubt` says
    that the order may have arrived all the same.

    `connector_metadata` is for the connector's own use; the core never reads it.
    """

    success: bool
    export_id: UUID
    document: ExportDocument | None = None
    dropzone_path: str = ""
    error_message: str | None = None
    retryable: bool = False
    cause: str = ""
    in_doubt: bool = False
    storage_key: str | None = None
    connector_metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def failure(cls, export_id: UUID, error: ConnectorError) -> Self:
        return cls(
            success=False,
            export_id=export_id,
            error_message=str(error),
            retryable=error.retryable,
            cause=error.cause,
            in_doubt=isinstance(error, InDoubtError | UndecidedError),
        )
