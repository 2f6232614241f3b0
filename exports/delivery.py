"""Drain a connection's lane: take what is due, hand it to the connector, record what became of it."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from connectors import health
from connectors.exceptions import ConfigError, ConnectorError, TransientError
from connectors.failpoints import Failpoint, reached
from connectors.models import ERPConnection
from connectors.ports import AckReadingConnector, ExportAttempt, ExportResult
from connectors.registry import registry
from connectors.sales_order import SalesOrder
from exports import lanes, record, wake_ups
from exports.copies import Copies
from exports.documents import attempt_of, batch_of, order_lines, sales_order
from exports.journal import BatchOutdated, LaneJournal
from exports.models import ERPExport, Lane
from exports.transitions import ExportStatus

logger = logging.getLogger(__name__)


def due() -> QuerySet[ERPExport]:
    return ERPExport.objects.filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=Now()), status=ExportStatus.PENDING, held_because=""
    )


def drain(connection_id: UUID) -> None:
    """Deliver what is due, for one time slice at the most; what is left gets a wake-up behind other lanes' work."""
    with lanes.holding(connection_id, Lane.Kind.DELIVERY) as lease:
        if lease is None:
            return
        reached(Failpoint.LANE_CLAIMED)
        try:
            more = _drain(lease)
        except lanes.LaneLost as lost:
            logger.warning("Delivery stops, another worker goes on: %s", lost)
            return
        reached(Failpoint.LANE_DRAINED)
    if more:
        reached(Failpoint.TURN_ENDED)
        wake_ups.wake(connection_id)


def _drain(lease: lanes.Lease) -> bool:
    """True when the slice ended before the work did. A server that failed is left alone until the next sweep."""
    with Copies(lease.connection_id) as copies:
        while batch := _next_batch(lease.connection_id):
            connection = health.usable().select_related("organization").filter(pk=lease.connection_id).first()
            if connection is None:
                health.hang_up(lease.connection_id)
                return False
            reached(Failpoint.BATCH_READ)
            with suppress(BatchOutdated):
                _deliver(batch, connection, lease, copies)
            if lease.error:
                return False
            if lease.is_over:
                return True
    return False


def _next_batch(connection_id: UUID) -> Sequence[ERPExport]:
    rows = due().filter(connection_id=connection_id).order_by("created_at", "id")
    return batch_of(rows)


def _deliver(batch: Sequence[ERPExport], connection: ERPConnection, lease: lanes.Lease, copies: Copies) -> None:
    """Every export of the batch ends up recorded: sent, failed, planned again, or waiting for a blocked connection."""
    journal = LaneJournal(lease=lease, connection=connection)
    results: list[ExportResult] = []
    failure: ConnectorError | None = None
    answer_due = None
    began = time.monotonic()
    try:
        connector = registry.create(connection.connector_type, copies)
        config = connection.runtime_config(ends_at=lease.ends_at)
        if isinstance(connector, AckReadingConnector):
            answer_due = connector.answer_due(config)
        orders, results = _orders(batch)
        journal.require_present()
        results.extend(connector.export_many(orders, config, journal=journal))
    except (BatchOutdated, lanes.LaneLost, DatabaseError):
        raise
    except ConnectorError as error:
        failure = error
    except Exception:
        # A connector's own fault must neither stop the lane for good nor be tried without a pause.
        logger.exception("The connector of %s failed unexpectedly", connection)
        failure = TransientError(
            f"Connector {connection.connector_type} failed unexpectedly. The worker's log has why."
        )
    took_ms = round((time.monotonic() - began) * 1000)
    rows = {export.pk: export for export in batch}
    settled = {result.export_id for result in results}
    sent, stored = [r for r in results if r.success], copies.stored()
    record.sent(sent, rows, answer_due, stored, took_ms)
    reached(Failpoint.SENT_RECORDED)
    record.failed([r for r in results if not r.success], rows, took_ms)
    copies.keep(stored.difference(r.storage_key for r in sent))
    if failure:
        lanes.note(lease, failure)
        _connection_failed(connection, failure, [rows[pk] for pk in rows if pk not in settled], took_ms)
    else:
        _met(connection, results, lease)


def _met(connection: ERPConnection, results: Sequence[ExportResult], lease: lanes.Lease) -> None:
    """A session in which nothing could be done counts as one that was lost."""
    # The last, for the first may only tell that the session was over by then.
    problem = results[-1].error_message if all(result.retryable for result in results) else None
    lanes.note(lease, TransientError(problem) if problem else None)
    if problem:
        health.record_failure(connection.pk, problem)
    elif connection.failures_in_a_row:
        health.record_success(connection.pk)


def _orders(batch: Sequence[ERPExport]) -> tuple[list[tuple[SalesOrder, ExportAttempt]], list[ExportResult]]:
    """What can go, and the refusals of what cannot."""
    orders, refused = [], []
    lines = order_lines(batch)
    for export in batch:
        order = export.draft_order
        try:
            orders.append((sales_order(order, lines[order.pk]), attempt_of(export)))
        except ConnectorError as error:
            refused.append(ExportResult.failure(export.pk, error))
    return orders, refused


def _connection_failed(
    connection: ERPConnection, failure: ConnectorError, unsettled: list[ERPExport], took_ms: int
) -> None:
    if isinstance(failure, ConfigError):
        health.block(connection.pk, str(failure), missing_key=failure.missing_key, revision=connection.revision)
        reached(Failpoint.BLOCKED)
        health.hang_up(connection.pk)
        record.blocked(unsettled, str(failure))
        return
    if isinstance(failure, TransientError):
        health.record_failure(connection.pk, str(failure))
        reached(Failpoint.FAILURE_COUNTED)
    record.failed([ExportResult.failure(e.pk, failure) for e in unsettled], {e.pk: e for e in unsettled}, took_ms)
