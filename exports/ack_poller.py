"""Read what the ERP answered: match each file to its export, record it, and only then move it away."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from uuid import UUID

from connectors.connections import health
from connectors.exceptions import ConfigError, ConnectorError
from connectors.failpoints import Failpoint, reached
from connectors.fencing import LeaseLost
from connectors.models import ERPConnection
from connectors.ports import AckEntry, AckReadingConnector
from connectors.registry import registry
from connectors.third_party.errors import guarded
from connectors.third_party.inbox import GuardedInbox
from exports.acks import recorder as ack_recorder
from exports.acks.folder_counts import OF_A_FILE
from exports.acks.folder_summary import FolderAccount
from exports.acks.reader import AnswerReader
from exports.acks.recorder import Answer
from exports.lanes import dispatch, leases
from exports.models import Lane
from exports.rollback import guard

logger = logging.getLogger(__name__)


def poll(connection_id: UUID) -> int:
    """Read the answers that lie there now, unless another poll does; tells how many files were put away.

    Raises `ConnectorError`, and keeps it where people see it: an outage never looks like "no answers yet".
    """
    with leases.holding(connection_id, Lane.Kind.ACKS) as lease:
        if lease is None:
            return 0
        reached(Failpoint.POLL_CLAIMED)
        connection = ERPConnection.objects.select_related("organization").get(pk=connection_id)
        _require_unblocked(connection)
        try:
            archived = _poll(connection, lease)
        except LeaseLost as lost:
            logger.warning("Polling stops, another worker goes on: %s", lost)
            return 0
        except ConnectorError as error:
            leases.note(lease, error)
            raise
        leases.note(lease, None)
    if lease.lane.passed:
        dispatch.wake(connection_id, Lane.Kind.ACKS)
    return archived


def _require_unblocked(connection: ERPConnection) -> None:
    """Raises `ConfigError`. The message may be older than the block, and a refused password is not sent again."""
    if connection.blocked_at:
        raise ConfigError(f"Connection {connection.name!r} is blocked: {connection.blocked_reason} Fix it and test it.")


def _poll(connection: ERPConnection, lease: leases.Lease) -> int:
    with ExitStack() as stack:
        inbox = _open(connection, stack, lease)
        if inbox is None:
            return 0
        lane, hold = lease.lane, partial(leases.held, lease)
        account = FolderAccount(connection, lane.folder)
        with AnswerReader(connection, inbox, account, hold=hold, skip=lane.passed) as answers:
            for batch in answers:
                reached(Failpoint.ANSWERS_READ)
                done, damaged = _entered(lease, connection, batch)
                reached(Failpoint.LEDGER_ENTERED)
                answers.put_away(done, damaged)
                if lease.is_over:
                    answers.stop()
        account.enter(hold)
        lane.passed, lane.folder = answers.passed, account.summary()
        if answers.errors:
            lane.folder = {"counts": {}, **(lane.folder or {}), OF_A_FILE: str(answers.errors[0])[:500]}
    if connection.status == ERPConnection.Status.DISABLED:
        health.hang_up(connection.pk)
    if answers.errors:
        # One file that cannot be read or moved has not kept the others from being applied.
        raise answers.errors[0]
    return answers.archived


def _entered(
    lease: leases.Lease, connection: ERPConnection, batch: Sequence[Answer]
) -> tuple[list[AckEntry], list[AckEntry]]:
    """As `ledger.enter`. No file is moved before the commit that knows of it is marked outside the database."""
    try:
        check = guard.begin_check()
        check.require()
        with leases.held(lease):
            done, damaged = ack_recorder.enter(connection, batch)
            mark = guard.number() if done or damaged else None
    except guard.Held as held:
        raise leases.LaneLost(str(held)) from held
    if mark:
        guard.publishable(check, mark)
    return done, damaged


def _open(connection: ERPConnection, stack: ExitStack, lease: leases.Lease) -> GuardedInbox | None:
    """None where this ERP does not answer. Refused credentials block the connection before a next try."""
    try:
        with guarded(connection.connector_type):
            connector = registry.create(connection.connector_type)
            config = connection.runtime_config(ends_at=lease.ends_at, fence=lease.fence)
            if not isinstance(connector, AckReadingConnector) or connector.answer_due(config) is None:
                return None
            inbox = stack.enter_context(connector.open_inbox(config))
        return GuardedInbox(inbox, connection.connector_type)
    except ConfigError as error:
        health.block(connection.pk, str(error), missing_key=error.missing_key, revision=connection.revision)
        raise
