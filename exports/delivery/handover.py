"""Hand a batch to its connector: whatever that returns, raises or omits, each export ends up in one place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConnectorError, InDoubtError, TransientError, UndecidedError
from connectors.fencing import LeaseLost
from connectors.models import ERPConnection
from connectors.ports import AckReadingConnector, ExportAttempt, ExportResult
from connectors.registry import registry
from connectors.third_party.errors import ConnectorFault, fault, guarded, plain
from connectors.third_party.time_limit import Overdue, within
from connectors.types.sales_order import SalesOrder
from exports.delivery import result_check
from exports.delivery.journal import BatchOutdated, LaneJournal
from exports.documents.archive import Copies
from exports.documents.rendering import with_document
from exports.documents.sales_orders import attempt_of, order_lines, sales_order
from exports.lanes import leases
from exports.models import ERPExport
from exports.rollback import guard

# A longer time is a mistake, and some cannot be added to a date.
LONGEST_ACK = timedelta(days=366)

Orders = Sequence[tuple[SalesOrder, ExportAttempt]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Each export of the batch is in exactly one of the first four; those `untouched` were kept from being sent by the
    connection's `failure` alone."""

    sent: Sequence[ExportResult] = ()
    failed: Sequence[ExportResult] = ()
    undecided: Mapping[UUID, str] = field(default_factory=dict)
    untouched: Sequence[UUID] = ()
    failure: ConnectorError | None = None
    answer_due: timedelta | None = None


def hand_over(batch: Sequence[ERPExport], connection: ERPConnection, lease: leases.Lease, copies: Copies) -> Outcome:
    """Raises `BatchOutdated`, `LeaseLost` and `DatabaseError`."""
    # The places are listed while the batch is prepared.
    check = guard.begin_check()
    orders, rejected = _orders(batch)
    export_ids = [attempt.export_id for _, attempt in orders]
    try:
        with guarded(connection.connector_type):
            connector = registry.create(connection.connector_type, copies)
            config = connection.runtime_config(ends_at=lease.ends_at, fence=lease.fence)
            answer_due = _answer_due(connector, config)
    except ConnectorError as error:
        return Outcome(failed=rejected, untouched=export_ids, failure=plain(error))
    if not orders:
        return Outcome(failed=rejected, answer_due=answer_due)
    journal = LaneJournal(lease=lease, connection=connection, exports=batch, check=check)
    journal.require_present()
    call = partial(connector.export_many, orders, config, journal=journal)
    if connector.journals:
        outcome = _with_journal(call, export_ids, connection)
    else:
        journal.hand_over(export_ids)
        outcome = _without_journal(call, export_ids, connection, lease)
    sent = with_document(connector, orders, outcome.sent)
    return replace(outcome, sent=sent, failed=[*rejected, *outcome.failed], answer_due=answer_due)


def _with_journal(call: Callable[[], Iterable[Any]], export_ids: Sequence[UUID], connection: ERPConnection) -> Outcome:
    """Nothing is published unless it was journaled: a later attempt establishes what became of it."""
    given: list[Any] = []
    failure: ConnectorError | None = None
    try:
        given.extend(islice(call(), _most(export_ids)))
    except (BatchOutdated, LeaseLost, DatabaseError):
        raise
    except ConnectorError as error:
        failure = plain(error)
    except (Exception, SystemExit, GeneratorExit) as error:  # noqa: BLE001 - a connector may raise anything
        # It must neither stop the lane for good nor be attempted again without a pause.
        failure = TransientError(str(fault(connection.connector_type, error)))
    found = result_check.sort(given, export_ids, journals=True)
    if failure is None:
        return Outcome(
            sent=found.sent, failed=[*found.failed, *result_check.again(found.unusable)], undecided=found.undecided
        )
    if isinstance(failure, UndecidedError):
        in_doubt = dict.fromkeys(found.unusable, str(failure))
        return Outcome(sent=found.sent, failed=found.failed, undecided={**found.undecided, **in_doubt}, failure=failure)
    return Outcome(
        sent=found.sent,
        failed=found.failed,
        undecided=found.undecided,
        untouched=list(found.unusable),
        failure=failure,
    )


def _without_journal(
    call: Callable[[], Iterable[Any]], export_ids: Sequence[UUID], connection: ERPConnection, lease: leases.Lease
) -> Outcome:
    """What may have been sent is in doubt, unless the connector says that it was not."""
    given: list[Any] = []
    failure: ConnectorError | None = None
    try:
        given.extend(within(lease.ends_at, _most(export_ids), call))
    except (BatchOutdated, LeaseLost):
        raise
    except Overdue:
        failure = _overdue(connection)
    except ConnectorError as error:
        failure = plain(error)
        if not given and not isinstance(failure, InDoubtError | UndecidedError):
            return Outcome(untouched=export_ids, failure=failure)
    except BaseException as error:  # noqa: BLE001 - raised by the connector, in a thread of its own
        failure = fault(connection.connector_type, error)
    found = result_check.sort(given, export_ids, journals=False)
    if found.unusable and failure is None:
        failure = _silent(connection, found.unusable)
    in_doubt = {
        pk: str(failure) if reason == result_check.NO_RESULT else reason for pk, reason in found.unusable.items()
    }
    return Outcome(sent=found.sent, failed=found.failed, undecided={**found.undecided, **in_doubt}, failure=failure)


def _most(export_ids: Sequence[UUID]) -> int:
    """Enough results to see which exports have more than one; a connector may give them without end."""
    return 2 * len(export_ids) + 1


def _overdue(connection: ERPConnection) -> ConnectorFault:
    return ConnectorFault(
        f"Connector {connection.connector_type} did not end within the time that a delivery may take. Check the ERP "
        "and the connector, then test the connection."
    )


def _silent(connection: ERPConnection, unusable: Mapping[UUID, str]) -> ConnectorFault:
    return ConnectorFault(
        f"Connector {connection.connector_type} gave no usable result for {len(unusable)} of its exports. Fix or "
        "update the connector, then test the connection."
    )


def _answer_due(connector: BaseConnector, config: dict[str, Any]) -> timedelta | None:
    """Raises `ValueError` for a time that cannot be waited for."""
    if not isinstance(connector, AckReadingConnector):
        return None
    due = connector.answer_due(config)
    if due is not None and not (isinstance(due, timedelta) and timedelta(0) < due <= LONGEST_ACK):
        raise ValueError(f"answer_due returned {type(due).__name__}, not None or a time of up to {LONGEST_ACK}")
    return due


def _orders(batch: Sequence[ERPExport]) -> tuple[list[tuple[SalesOrder, ExportAttempt]], list[ExportResult]]:
    """What can go, and the rejections of what cannot."""
    orders, rejected = [], []
    lines = order_lines(batch)
    for export in batch:
        order = export.draft_order
        try:
            orders.append((sales_order(order, lines[order.pk]), attempt_of(export)))
        except ConnectorError as error:
            rejected.append(ExportResult.failure(export.pk, error))
    return orders, rejected
