"""Looking into a place: what lies there under names that are ours. A connector that drops files can have it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from connectors.exceptions import ConnectorError
from connectors.types.acks import AckEntry
from connectors.types.sales_order import SalesOrder


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedFile:
    """A regular file. `temporary_of` is the final name behind a temporary one; `is_ours` says that the final name has
    the form of this connector's documents. `size` in bytes, `modified_at` in seconds since the epoch."""

    path: str
    name: str
    size: int
    modified_at: float
    temporary_of: str | None = None
    is_ours: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """A document by its final name; `staged_path` is what its last try journaled, or empty."""

    filename: str
    staged_path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What lies under the two names of one document."""

    final: PlacedFile | None
    temporary: PlacedFile | None


class Inspection(Protocol):
    """One open look at a place. Every call may raise `ConnectorError`; a list has one outcome per item, in order."""

    def documents(self) -> Iterator[PlacedFile]:
        """Where documents are dropped, everything by a name that a document or its temporary file could have."""

    def find(self, documents: Sequence[Sought]) -> list[Found | ConnectorError | None]:
        """None for a document that was staged in another place than the connection leads to by now."""

    def read(self, files: Sequence[PlacedFile]) -> list[bytes | ConnectorError | None]:
        """None where the file has vanished."""

    def remove(self, files: Sequence[PlacedFile]) -> list[ConnectorError | None]: ...

    def archived_answers(self) -> Iterator[tuple[str, AckEntry]]:
        """Each answer that was moved out of the way, behind its path; none where nothing is answered."""


@runtime_checkable
class InspectableConnector(Protocol):
    """A connector that can say what lies in its place."""

    def open_inspection(self, config: Mapping[str, Any]) -> AbstractContextManager[Inspection]: ...


@runtime_checkable
class DocumentReadingConnector(Protocol):
    """A connector that can restore an order from its document."""

    def read_document(self, content: bytes, *, org_id: UUID) -> SalesOrder:
        """The order that renders to `content`. Raises `RejectedError`."""
