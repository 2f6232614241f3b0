"""Asking for a push: the export's row and the order's state in one transaction, the wake-up behind it."""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.failpoints import Failpoint, reached
from connectors.models import ERPConnection
from connectors.ports import ExportAttempt
from exports.documents.names import document_name, taken
from exports.lanes import dispatch
from exports.models import ERPExport, EventKind, ExportEvent, event_lines
from exports.models.status import LIVE, PushRefused
from orderflow.db.locks import try_lock
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class PushRequest:
    """`connection` None means the organization's default. A new export is made within `as_seen`, which raises when the
    order is not the one any more that somebody wants to push."""

    order: DraftOrder
    actor: str
    connection: ERPConnection | None = None
    idempotency_key: str | None = None
    as_seen: Callable[[], AbstractContextManager[None]] = nullcontext

    def fingerprint(self, source: OrderStatus) -> str:
        """What a repeated key is compared by: a retry is another request than the push before it."""
        body = {"connection": str(self.connection.pk) if self.connection else None, "from": source}
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def push(request: PushRequest) -> ERPExport:
    """APPROVED -> PUSHING with a PENDING export; the same key gives the same export. Raises `PushRefused`."""
    return _earlier(request, OrderStatus.APPROVED) or _start(request, OrderStatus.APPROVED)


def retry(request: PushRequest) -> ERPExport:
    """ERROR -> PUSHING with a new export that names the one it supersedes. Raises `PushRefused`."""
    earlier = _earlier(request, OrderStatus.ERROR)
    if earlier:
        return earlier
    try:
        require_no_live_export(request.order)
    except PushRefused:
        # The same key may have made it a moment ago.
        earlier = _earlier(request, OrderStatus.ERROR)
        if earlier is None:
            raise
        return earlier
    return _start(request, OrderStatus.ERROR)


def require_no_live_export(order: DraftOrder) -> None:
    """Raises `PushRefused`."""
    live = ERPExport.objects.filter(draft_order=order, status__in=LIVE).first()
    if live and live.undecided_since:
        raise PushRefused(
            "still_alive",
            f"Export {live} of order {order} is in doubt: the order may have arrived. Check in the ERP, then mark the "
            "export as delivered or not delivered.",
        )
    if live:
        raise PushRefused("still_alive", f"Export {live} of order {order} is {live.status}. Wait for its end.")


def _earlier(request: PushRequest, source: OrderStatus) -> ERPExport | None:
    if request.idempotency_key is None:
        return None
    export = ERPExport.objects.filter(draft_order=request.order, idempotency_key=request.idempotency_key).first()
    if export and export.request_hash != request.fingerprint(source):
        raise PushRefused(
            "idempotency_key_reused",
            f"Idempotency-Key {request.idempotency_key!r} came with another request before. Use a new key.",
        )
    return export


def _start(request: PushRequest, source: OrderStatus) -> ERPExport:
    organization = request.order.organization
    connection = request.connection or default_connection(organization)
    require_usable(connection, organization)
    try:
        with transaction.atomic():
            _require_alone(request)
            with request.as_seen():
                export = begin(request, connection, source)
            if export:
                event_lines.step("PUSH", export, f"Requested by {request.actor}.")
                wake_on_commit(connection)
                return export
    except IntegrityError as error:
        raise taken(connection, error) or error from error
    # Somebody else won the order; with the same key it was the same request.
    earlier = _earlier(request, source)
    if earlier:
        return earlier
    request.order.refresh_from_db(fields=["status"])
    raise refusal(request.order, source)


def begin(request: PushRequest, connection: ERPConnection, source: OrderStatus) -> ERPExport | None:
    """In a transaction of the caller's, who also logs and wakes the lane. None when it is not in `source` any more."""
    orders = DraftOrder.objects.filter(pk=request.order.pk)
    if not orders.move(source, OrderStatus.PUSHING, updated_at=timezone.now(), error_message=""):
        return None
    request.order.status = OrderStatus.PUSHING
    return _create(request, connection, source)


def _require_alone(request: PushRequest) -> None:
    """PostgreSQL would let a second request with the same key wait; SQLite does, and it gets the first one's export."""
    key = request.idempotency_key
    if key is not None and not try_lock("push", request.order.pk, key):
        raise PushRefused(
            "still_running", f"The first request with Idempotency-Key {key!r} is still running. Ask again in a second."
        )


def _create(request: PushRequest, connection: ERPConnection, source: OrderStatus) -> ERPExport:
    now, export_id = timezone.now(), uuid4()
    # Read behind the order's move, which lets one request in at a time; a corrected order that is pushed has one too.
    supersedes = ERPExport.objects.filter(draft_order=request.order, superseded_by=None).first()
    attempt = ExportAttempt(export_id=export_id, created_at=now)
    export = ERPExport.objects.create(
        id=export_id,
        organization_id=request.order.organization_id,
        draft_order=request.order,
        connection=connection,
        supersedes=supersedes,
        idempotency_key=request.idempotency_key,
        request_hash=request.fingerprint(source),
        requested_by=request.actor,
        created_at=now,
        filename=document_name(connection, request.order.pk, attempt),
    )
    ExportEvent.objects.create(export=export, kind=EventKind.REQUESTED, actor=request.actor, at=now)
    record(request.order.organization_id, request.actor, "retry push" if supersedes else "push", request.order)
    reached(Failpoint.PUSH_WRITTEN)
    return export


def wake_on_commit(connection: ERPConnection) -> None:
    # The push is committed: whatever the wake-up runs into, the caller has its export and the sweep finds the work.
    transaction.on_commit(partial(_wake, connection.pk), robust=True)


def _wake(connection_id: UUID) -> None:
    reached(Failpoint.PUSH_COMMITTED)
    dispatch.wake(connection_id)


def default_connection(organization: Organization) -> ERPConnection:
    """Raises `PushRefused`."""
    connection = ERPConnection.objects.filter(organization=organization, is_default=True).first()
    if connection is None:
        raise PushRefused(
            "no_connection",
            f"{organization} has no default ERP connection. Choose one for the push, or make one the default.",
        )
    return connection


def require_usable(connection: ERPConnection, organization: Organization) -> None:
    """Raises `PushRefused`."""
    if connection.organization_id != organization.pk:
        raise PushRefused("unknown_connection", f"{organization} has no such connection.")
    if connection.status != ERPConnection.Status.ACTIVE:
        raise PushRefused(
            "connection_disabled", f"Connection {connection.name!r} is disabled. Enable it or name another."
        )


def refusal(order: DraftOrder, source: OrderStatus) -> PushRefused:
    """Of an order that is not in `source`."""
    if source == OrderStatus.ERROR:
        return PushRefused("not_failed", f"Order {order} is {order.status}; only an order in ERROR can be retried.")
    if order.status in (OrderStatus.PUSHING, OrderStatus.PUSHED):
        return PushRefused("already_pushed", f"Order {order} is {order.status} already.")
    return PushRefused("not_approved", f"Order {order} is {order.status}; only an APPROVED order can be pushed.")
