"""Read what the ERP answered: match each file to its export, record it, and only then move it away."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from uuid import UUID

from connectors import health
from connectors.exceptions import ConfigError, ConnectorError, RejectedError, TransientError
from connectors.models import ERPConnection
from connectors.ports import AckEntry, AckInbox, AckReadingConnector
from connectors.registry import registry
from exports import lanes, ledger
from exports.models import ERPExport, Lane

logger = logging.getLogger(__name__)

BATCH = 500
# What a worker should hold of them; a larger one comes alone.
BATCH_BYTES = 16 * 1024 * 1024


def poll(connection_id: UUID) -> int:
    """Read the answers that lie there now, unless another poll does; tells how many files were put away.

    Raises `ConnectorError`, and keeps it where people see it: an outage never looks like "no answers yet".
    """
    with lanes.holding(connection_id, Lane.Kind.ACKS) as lease:
        if lease is None:
            return 0
        connection = ERPConnection.objects.select_related("organization").get(pk=connection_id)
        try:
            archived = _poll(connection, lease)
        except lanes.LaneLost as lost:
            logger.warning("Polling stops, another worker goes on: %s", lost)
            return 0
        except ConnectorError as error:
            lanes.note_error(lease, str(error))
            raise
        lanes.note_error(lease, "")
    return archived


def _poll(connection: ERPConnection, lease: lanes.Lease) -> int:
    with ExitStack() as stack:
        inbox = _open(connection, stack)
        if inbox is None:
            return 0
        reading = _Reading(connection=connection, inbox=inbox)
        for batch in _batches(inbox.entries()):
            lanes.renew(lease)
            reading.take(batch)
    if connection.status == ERPConnection.Status.DISABLED:
        health.hang_up(connection.pk)
    if reading.errors:
        # One file that cannot be read or moved has not kept the others from being applied.
        raise reading.errors[0]
    return reading.archived


def _open(connection: ERPConnection, stack: ExitStack) -> AckInbox | None:
    """None where this ERP does not answer. Refused credentials block the connection before a next try."""
    connector = registry.create(connection.connector_type)
    try:
        config = connection.runtime_config()
        if not isinstance(connector, AckReadingConnector) or connector.answer_due(config) is None:
            return None
        return stack.enter_context(connector.open_inbox(config))
    except ConfigError as error:
        health.block(connection.pk, str(error))
        raise


def _batches(entries: Iterable[AckEntry]) -> Iterator[list[AckEntry]]:
    batch: list[AckEntry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == BATCH or size + entry.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


@dataclass(kw_only=True, slots=True)
class _Reading:
    """One poll over one inbox, and what it came to."""

    connection: ERPConnection
    inbox: AckInbox
    archived: int = 0
    errors: list[ConnectorError] = field(default_factory=list)

    def take(self, batch: Sequence[AckEntry]) -> None:
        """A crash after the ledger's commit leaves files that the next poll knows by their hash and moves."""
        names = {entry.export_filename for entry in batch}
        rows = ERPExport.objects.filter(connection=self.connection, filename__in=names)
        exports = dict(rows.values_list("filename", "pk"))
        ledger.note_orphans(self.connection, [entry for entry in batch if entry.export_filename not in exports])
        answers = self._read([entry for entry in batch if entry.export_filename in exports], exports)
        done, damaged = ledger.enter(self.connection, answers)
        self._archive(done, quarantine=False)
        self._archive(damaged, quarantine=True)

    def _read(self, entries: Sequence[AckEntry], exports: Mapping[str, UUID]) -> list[ledger.Answer]:
        if not entries:
            return []
        answers = []
        for entry, raw in zip(entries, self.inbox.read(entries), strict=True):
            if isinstance(raw, TransientError):
                raise raw
            if isinstance(raw, ConnectorError) and not isinstance(raw, RejectedError):
                self.errors.append(raw)
            elif raw is not None:
                answers.append(self._answer(entry, raw, exports[entry.export_filename]))
        return answers

    def _answer(self, entry: AckEntry, raw: bytes | RejectedError, export_id: UUID) -> ledger.Answer:
        if isinstance(raw, RejectedError):
            return ledger.Answer(entry=entry, export_id=export_id, problem=str(raw))
        try:
            return ledger.Answer(entry=entry, export_id=export_id, raw=raw, ack=self.inbox.parse(entry, raw))
        except RejectedError as error:
            return ledger.Answer(entry=entry, export_id=export_id, raw=raw, problem=str(error))

    def _archive(self, entries: Sequence[AckEntry], *, quarantine: bool) -> None:
        if not entries:
            return
        outcomes = self.inbox.archive(entries, quarantine=quarantine)
        moved = [entry for entry, error in zip(entries, outcomes, strict=True) if error is None]
        self.errors += [error for error in outcomes if error is not None]
        ledger.archived(self.connection, moved)
        self.archived += len(moved)
