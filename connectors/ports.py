"""The port between OrderFlow and an ERP: what a connector takes, what it returns and what it raises."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, ClassVar, Protocol, runtime_checkable
from uuid import UUID

from connectors.exceptions import ConfigError, ConnectorError, InDoubtError, TransientError
from connectors.types.acks import Ack, AckEntry, AckOutcome, OtherFile, OtherKind
from connectors.types.exports import ExportAttempt, ExportDocument, ExportResult, Staged
from connectors.types.sales_order import SalesOrder
from connectors.types.test_results import TestResult, TestStep

__all__ = [
    "AccountingInbox",
    "Ack",
    "AckEntry",
    "AckInbox",
    "AckOutcome",
    "AckReadingConnector",
    "ConnectorError",
    "ERPConnectorPort",
    "ExportAttempt",
    "ExportDocument",
    "ExportResult",
    "Journal",
    "OtherFile",
    "OtherKind",
    "SalesOrder",
    "Staged",
    "TestResult",
    "TestStep",
]


class Journal(Protocol):
    """Makes staged files known durably, before any of them is renamed."""

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        """Commit `files` by export id. Raises `ConnectorError` when nothing may be published any more."""

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        """Commit that these are not staged, before what was staged of them is touched. Raises like `staged`."""

    def unwitnessed(self, export_ids: Sequence[UUID]) -> None:
        """Commit that these are about to be written under their final names, without an entry by which a later attempt
        could tell whether they were. Raises like `staged`."""


class ERPConnectorPort(ABC):
    """One way into one kind of ERP. `config` is always the decrypted dict of one connection.

    `journals` is True where `export_many` publishes nothing before `journal.staged` has returned, and can establish
    from `attempt.staged` what became of an earlier attempt: such an export is safe to attempt again after any failure.
    Any other connector's export is attempted again only after a failure that says that nothing of it was sent; after
    anything else it is in doubt, and a person decides. A class that defines `export_many` has to set it anew.
    """

    journals: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "export_many" in cls.__dict__ and "journals" not in cls.__dict__:
            cls.journals = False

    @abstractmethod
    def get_connector_type(self) -> str: ...

    @abstractmethod
    def validate_config(self, config: Mapping[str, Any]) -> None:
        """Raises `ConfigError` naming the field that is missing or wrong."""

    @abstractmethod
    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:
        """The file's final name, from ids and the export's creation time only: the same for every attempt, another for
        every export, at most 120 characters and no path."""

    @abstractmethod
    def render(self, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:
        """The same order and attempt give the same bytes. Raises `RejectedError`."""

    @abstractmethod
    def export(
        self, draft_order: SalesOrder, config: Mapping[str, Any], *, attempt: ExportAttempt | None = None
    ) -> ExportResult:
        """Send one order. Raises `ConnectorError` only when nothing of it was sent, `InDoubtError` or `UndecidedError`
        when that is unknown."""

    def export_many(
        self,
        orders: Sequence[tuple[SalesOrder, ExportAttempt]],
        config: Mapping[str, Any],
        *,
        journal: Journal,  # noqa: ARG002 - a connector that cannot look back has no use for it
    ) -> Iterable[ExportResult]:
        """One result per order. Raises `ConnectorError` when the connection fails before anything was sent; once a
        result was given, orders without one are in doubt."""
        for position, (order, attempt) in enumerate(orders):
            try:
                result = self.export(order, config, attempt=attempt)
            except InDoubtError as error:
                yield ExportResult.failure(attempt.export_id, error)
                yield from _not_begun(orders[position + 1 :], error)
                return
            except (TransientError, ConfigError) as error:
                if position == 0:
                    raise
                yield from _not_begun(orders[position:], error)
                return
            except ConnectorError as error:
                result = ExportResult.failure(attempt.export_id, error)
            yield result

    @abstractmethod
    def test_connection(
        self, config: Mapping[str, Any], *, on_step: Callable[[TestStep], None] | None = None
    ) -> TestResult:
        """Never raises: a failure is in the result. `on_step` hears of each step as it ends."""


def _not_begun(orders: Sequence[tuple[SalesOrder, ExportAttempt]], error: ConnectorError) -> Iterator[ExportResult]:
    """Of orders that a lost connection kept back. A connection that needs a person says so at the next attempt."""
    for _, attempt in orders:
        yield ExportResult.failure(attempt.export_id, TransientError(str(error)))


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
class AccountingInbox(AckInbox, Protocol):
    """An inbox that also names the files that it does not read, so that each of them is logged or counted.

    Optional: of an inbox without it, nobody learns what else lies in the folder.
    """

    def all_files(self) -> Generator[AckEntry | OtherFile, None, None]:
        """Everything in the folder, in one listing: what `entries` gives, and an `OtherFile` for each other file."""


@runtime_checkable
class AckReadingConnector(Protocol):
    """A connector whose ERP may answer."""

    def answer_due(self, config: Mapping[str, Any]) -> timedelta | None:
        """How long the ERP may take to answer; None where this connection is not answered."""

    def open_inbox(self, config: Mapping[str, Any]) -> AbstractContextManager[AckInbox]: ...
