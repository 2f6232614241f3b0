"""The port between OrderFlow and an ERP: what a connector takes, what it gives back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, runtime_checkable
from uuid import UUID

from connectors.exceptions import ConnectorError
from connectors.sales_order import SalesOrder

__all__ = ["ConnectorError", "ERPConnectorPort", "ExportResult", "TestResult"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """A complete file under its temporary name: what a later try needs to find out what became of it."""

    path: str
    sha256: str
    size: int


class Journal(Protocol):
    """Makes staged files known durably, before any of them is renamed."""

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        """Commit `files` by export id. Raises `ConnectorError` when nothing may be published any more."""

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        """Commit that these are not staged, before what was staged of them is touched. Raises like `staged`."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportResult:
    """`retryable` says of a failure whether a later try can help, `cause` is its stable word; `storage_key` is the
    copy's, once there is one.

    `connector_metadata` has at least `dropzone_path` and `filename` when the order was sent.
    """

    success: bool
    export_id: UUID
    error_message: str | None = None
    retryable: bool = False
    cause: str = ""
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
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TestStep:
    """`duration_ms` is wall time; `detail` is what was seen, or what to do about the failure."""

    __test__: ClassVar[bool] = False

    name: str
    success: bool
    duration_ms: int
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """`host_key` is the key that the server showed when none, or another one, is pinned."""

    __test__: ClassVar[bool] = False

    success: bool
    latency_ms: int
    error_message: str | None = None
    steps: tuple[TestStep, ...] = ()
    host_key: str | None = None


class ERPConnectorPort(ABC):
    """One way into one kind of ERP. `config` is always the decrypted dict of one connection."""

    @abstractmethod
    def get_connector_type(self) -> str: ...

    @abstractmethod
    def validate_config(self, config: Mapping[str, Any]) -> None:
        """Raises `ConfigError` naming the field that is missing or wrong."""

    @abstractmethod
    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:
        """The file's final name, from ids and the export's creation time only: fixed for every try."""

    @abstractmethod
    def render(self, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:
        """The same order and attempt give the same bytes. Raises `RejectedError`."""

    @abstractmethod
    def export(
        self, draft_order: SalesOrder, config: Mapping[str, Any], *, attempt: ExportAttempt | None = None
    ) -> ExportResult: ...

    def export_many(
        self,
        orders: Sequence[tuple[SalesOrder, ExportAttempt]],
        config: Mapping[str, Any],
        *,
        journal: Journal,  # noqa: ARG002 - a connector that cannot look back has no use for it
    ) -> Iterable[ExportResult]:
        """One result per order, in order. Raises `ConnectorError` when the connection fails before anything left."""
        return [self.export(order, config, attempt=attempt) for order, attempt in orders]

    @abstractmethod
    def test_connection(
        self, config: Mapping[str, Any], *, on_step: Callable[[TestStep], None] | None = None
    ) -> TestResult:
        """Never raises: a failure is in the result. `on_step` hears of each step as it ends."""


class AckOutcome(StrEnum):
    ACKED = "ACKED"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class AckEntry:
    """A regular file in the form of an answer. `size` in bytes, `modified_at` in seconds since the epoch."""

    name: str
    export_filename: str
    size: int
    modified_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ack:
    """The ERP's answer to one export, normalised."""

    outcome: AckOutcome
    erp_order_id: str | None = None
    error_code: str | None = None
    message: str | None = None
    processed_at: datetime | None = None


class AckInbox(Protocol):
    """The ERP's answers over one connection, on one open session. Every call may raise `ConnectorError`."""

    def entries(self) -> Generator[AckEntry, None, None]:
        """What lies there now. A folder that cannot be listed is an error, never "no answers"."""

    def read(self, entries: Sequence[AckEntry]) -> list[bytes | ConnectorError | None]:
        """The raw bytes in the order asked; None where the file has vanished."""

    def parse(self, entry: AckEntry, raw: bytes) -> Ack:
        """Raises `RejectedError` saying what is wrong with the file."""

    def archive(self, entries: Sequence[AckEntry], *, quarantine: bool = False) -> list[ConnectorError | None]:
        """Move the files out of the way, into `processed/` or `error/` beside them."""


@runtime_checkable
class AckReadingConnector(Protocol):
    """A connector whose ERP may answer."""

    def answer_due(self, config: Mapping[str, Any]) -> timedelta | None:
        """How long the ERP may take to answer; None where this connection is not answered."""

    def open_inbox(self, config: Mapping[str, Any]) -> AbstractContextManager[AckInbox]: ...
