"""Drain a connection's lane: take what is due, hand it to the connector, record what became of it."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from connectors.connections import folder_edits, health
from connectors.exceptions import ConfigError, ConnectorError, TransientError, UndecidedError
from connectors.failpoints import Failpoint, reached
from connectors.fencing import LeaseLost
from connectors.models import ERPConnection
from connectors.ports import ExportResult
from exports.decisions import in_doubt
from exports.delivery import recorder
from exports.delivery.handover import Outcome, hand_over
from exports.delivery.journal import BatchOutdated
from exports.documents.archive import Copies
from exports.documents.sales_orders import batch_of
from exports.lanes import dispatch, leases
from exports.models import ERPExport, Lane
from exports.models.status import ExportStatus

logger = logging.getLogger(__name__)


def due() -> QuerySet[ERPExport]:
    return ERPExport.objects.filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=Now()), status=ExportStatus.PENDING, undecided_since=None
    )


def drain(connection_id: UUID) -> None:
    """Deliver what is due, for one time slice at the most; what is left gets a wake-up behind other lanes' work."""
    with leases.holding(connection_id, Lane.Kind.DELIVERY) as lease:
        if lease is None:
            return
        reached(Failpoint.LANE_CLAIMED)
        try:
            more = _drain(lease)
        except LeaseLost as lost:
            # What is left may have no holder at all, if this worker was merely too late to renew.
            logger.warning("Delivery stops, the next worker goes on: %s", lost)
            more = True
        else:
            reached(Failpoint.LANE_DRAINED)
    if more:
        reached(Failpoint.TURN_ENDED)
        dispatch.wake(connection_id)


def _drain(lease: leases.Lease) -> bool:
    """True when the slice ended before the work did. A server that failed is left alone until the next sweep."""
    with Copies(lease.connection_id) as copies:
        while batch := _next_batch(lease.connection_id):
            if any(export.handed_over_at for export in batch):
                _interrupted(lease)
                return False
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


def _interrupted(lease: leases.Lease) -> None:
    """A connector without a journal had some exports when its worker ended: those are in doubt."""
    if not in_doubt.mark_interrupted(lease.connection_id, hold=partial(leases.held, lease)):
        # Settled since the batch was read.
        return
    leases.note(lease, TransientError(in_doubt.INTERRUPTED))
    health.record_failure(lease.connection_id, in_doubt.INTERRUPTED)


def _next_batch(connection_id: UUID) -> Sequence[ERPExport]:
    rows = due().filter(connection_id=connection_id).order_by("created_at", "id")
    return batch_of(rows)


def _deliver(batch: Sequence[ERPExport], connection: ERPConnection, lease: leases.Lease, copies: Copies) -> None:
    """Every export of the batch ends up recorded: sent, failed, planned again, in doubt for a person, or waiting for a
    blocked connection."""
    began = time.monotonic()
    outcome = hand_over(batch, connection, lease, copies)
    took_ms = round((time.monotonic() - began) * 1000)
    rows = {export.pk: export for export in batch}
    stored = copies.stored()
    with leases.held(lease):
        recorder.sent(outcome.sent, rows, outcome.answer_due, stored, took_ms)
    reached(Failpoint.SENT_RECORDED)
    if outcome.sent:
        folder_edits.note(connection, [result.dropzone_path or "" for result in outcome.sent])
    if outcome.failed or outcome.undecided:
        with leases.held(lease):
            recorder.failed(outcome.failed, rows, took_ms)
            in_doubt.mark(outcome.undecided, took_ms)
    copies.keep(stored.difference(r.storage_key for r in outcome.sent if r.storage_key))
    if outcome.failure:
        leases.note(lease, outcome.failure)
        _connection_failed(lease, connection, outcome.failure, [rows[pk] for pk in outcome.untouched], took_ms)
    else:
        _met(connection, outcome, lease)


def _met(connection: ERPConnection, outcome: Outcome, lease: leases.Lease) -> None:
    """A session in which nothing could be done counts as one that was lost."""
    # An order in doubt says nothing about the session: its file cannot be followed, whatever the server does.
    reasons = [result.error_message or "" for result in outcome.failed]
    nothing_done = not outcome.sent and all(result.retryable for result in outcome.failed)
    # The last, for the first may only tell that the session was over by then.
    problem = reasons[-1] if nothing_done and reasons else None
    leases.note(lease, TransientError(problem) if problem else None)
    if problem:
        health.record_failure(connection.pk, problem)
    elif connection.failures_in_a_row or (outcome.sent and connection.works_since is None):
        health.record_success(connection.pk, revision=connection.revision)


def _connection_failed(
    lease: leases.Lease, connection: ERPConnection, failure: ConnectorError, unsettled: list[ERPExport], took_ms: int
) -> None:
    if isinstance(failure, ConfigError):
        with leases.held(lease):
            health.block(connection.pk, str(failure), missing_key=failure.missing_key, revision=connection.revision)
        reached(Failpoint.BLOCKED)
        health.hang_up(connection.pk)
        with leases.held(lease):
            recorder.blocked(unsettled, str(failure))
        return
    if isinstance(failure, TransientError | UndecidedError):
        with leases.held(lease):
            health.record_failure(connection.pk, str(failure))
        reached(Failpoint.FAILURE_COUNTED)
    with leases.held(lease):
        recorder.failed([ExportResult.failure(e.pk, failure) for e in unsettled], {e.pk: e for e in unsettled}, took_ms)
