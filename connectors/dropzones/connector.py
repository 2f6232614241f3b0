"""What every connector shares that drops files: a subclass says what a file holds and how its answers read."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.core.files.base import ContentFile

from connectors.dropzones.acks.connector_acks import DropzoneAcks
from connectors.dropzones.connection_test import try_dropzone
from connectors.dropzones.form import SECRET_FIELDS, SERVER_FIELDS, DropzoneForm
from connectors.dropzones.inspection import DropzoneInspection
from connectors.dropzones.outages import as_met
from connectors.dropzones.publisher import Drop
from connectors.dropzones.recovery import Outcome, Parcel
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import ConfigError, ConnectorError, RejectedError
from connectors.failpoints import Failpoint, reached
from connectors.ports import (
    ExportAttempt,
    ExportDocument,
    ExportResult,
    Journal,
    Staged,
    TestResult,
    TestStep,
)
from connectors.types.inspection import Inspection
from connectors.types.sales_order import SalesOrder


class Unjournaled:
    """For a single export on its own: nobody will come back to it."""

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        pass

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        pass

    def unwitnessed(self, export_ids: Sequence[UUID]) -> None:
        pass


class _Archive:
    """The documents of a batch by export id, each with its organization, and the keys of those that were stored."""

    def __init__(self, store: Callable[[UUID, ExportDocument], str | None]) -> None:
        self._store = store
        self.documents: dict[UUID, tuple[UUID, ExportDocument]] = {}
        self.keys: dict[UUID, str | None] = {}

    def store(self, export_ids: Iterable[UUID]) -> None:
        self.keys |= {export_id: self._store(*self.documents[export_id]) for export_id in export_ids}


class _ArchivingJournal:
    """A journal that has each document archived as soon as its bytes are bound. Before that a later attempt may render
    other bytes, and a copy that a paused worker stores late would replace those of the file that was sent."""

    def __init__(self, journal: Journal, archive: _Archive) -> None:
        self._journal = journal
        self._archive = archive

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        self._journal.staged(files)
        self._archive.store(files)

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        self._journal.discarded(export_ids)

    def unwitnessed(self, export_ids: Sequence[UUID]) -> None:
        self._journal.unwitnessed(export_ids)


class DropzoneConnector(DropzoneAcks):
    journals = True
    config_form = DropzoneForm
    secret_fields = SECRET_FIELDS
    server_fields = SERVER_FIELDS

    @abstractmethod
    def render_content(self, draft_order: SalesOrder) -> bytes:
        """The document. Pure: the same order gives the same bytes. Raises `RejectedError`."""

    def render(self, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:
        content = self.render_content(draft_order)
        return ExportDocument(
            filename=self.document_name(draft_order.draft_order_id, attempt),
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def export(
        self, draft_order: SalesOrder, config: Mapping[str, Any], *, attempt: ExportAttempt | None = None
    ) -> ExportResult:
        attempt = attempt or ExportAttempt(export_id=uuid4(), created_at=datetime.now(UTC))
        (result,) = self.export_many([(draft_order, attempt)], config, journal=Unjournaled())
        return result

    def export_many(
        self,
        orders: Sequence[tuple[SalesOrder, ExportAttempt]],
        config: Mapping[str, Any],
        *,
        journal: Journal,
    ) -> Iterator[ExportResult]:
        settings = self.settings(config)
        archive = _Archive(self._store)
        parcels: list[Parcel] = []
        for order, attempt in orders:
            try:
                document = self.render(order, attempt)
            except RejectedError as error:
                yield ExportResult.failure(attempt.export_id, error)
                continue
            parcels.append(Parcel(export_id=attempt.export_id, document=document, earlier=attempt.staged))
            archive.documents[attempt.export_id] = order.org_id, document
        if not parcels:
            return
        reached(Failpoint.RENDERED)
        archive.store(p.export_id for p in parcels if p.is_bound or not (settings.atomic_write or p.earlier))
        with settings.open() as dropzone:
            reached(Failpoint.DROPZONE_OPEN)
            outcomes = Drop(dropzone, settings, _ArchivingJournal(journal, archive)).deliver(parcels)
        yield from _results(parcels, outcomes, archive.keys, worked=settings.worked)

    def test_connection(
        self, config: Mapping[str, Any], *, on_step: Callable[[TestStep], None] | None = None
    ) -> TestResult:
        return try_dropzone(lambda: self.settings(config), self.document_name, on_step=on_step)

    def order_place(self, config: Mapping[str, Any]) -> str:
        settings = self.settings(config)
        return f"{settings.place}/{settings.export_path}"

    def ack_place(self, config: Mapping[str, Any]) -> str:
        settings = self.settings(config)
        return f"{settings.place}/{settings.ack_path}" if settings.ack_path else ""

    @contextmanager
    def open_inspection(self, config: Mapping[str, Any]) -> Iterator[Inspection]:
        settings = self.settings(config)
        with settings.open() as dropzone:
            yield DropzoneInspection(
                dropzone, settings, is_document_name=self.is_document_name, export_filename=self.answered_export
            )

    def settings(self, config: Mapping[str, Any]) -> DropzoneSettings:
        """The dropzone that a config names; a subclass can derive it from fields of its own. Raises `ConfigError`."""
        self.validate_required_fields(config, ["mode", "export_path"])
        return DropzoneSettings.from_config({**config, **self.clean_config(config)})

    def _store(self, organization_id: UUID, document: ExportDocument) -> str | None:
        """The copy's key. A storage that is down never holds an order up: the copy follows."""
        key = f"exports/{organization_id}/{document.filename}"
        try:
            return self.storage.save(key, ContentFile(document.content))
        except Exception:  # noqa: BLE001 - whatever a storage backend raises
            return None


def _results(
    parcels: Sequence[Parcel], outcomes: Mapping[UUID, Outcome], keys: Mapping[UUID, str | None], *, worked: bool
) -> Iterator[ExportResult]:
    """What has an outcome first; then the refusal of the whole place, if it refused."""
    refusal: ConfigError | None = None
    for parcel in parcels:
        outcome = outcomes[parcel.export_id]
        if isinstance(outcome, ConnectorError):
            outcome = as_met(outcome, worked=worked)
        if isinstance(outcome, ConfigError):
            refusal = outcome
        elif isinstance(outcome, ConnectorError):
            yield ExportResult.failure(parcel.export_id, outcome)
        else:
            yield ExportResult(
                success=True,
                export_id=parcel.export_id,
                document=parcel.document,
                dropzone_path=outcome,
                storage_key=keys.get(parcel.export_id),
                connector_metadata={"dropzone_path": outcome, "filename": parcel.document.filename},
            )
    if refusal:
        raise refusal
