"""Asking for many pushes at once: one transaction and one wake-up, and an answer of its own for each order."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, models, transaction

from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from exports import push_service
from exports.documents.names import taken
from exports.models import event_lines
from exports.models.status import PushRefused
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization

logger = logging.getLogger(__name__)

AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkPush:
    """`source` APPROVED asks for first pushes, ERROR for retries."""

    organization: Organization
    actor: str
    source: OrderStatus
    connection: ERPConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Of one order: its `status` by now, with the id of the new export or the `refusal`. No status: no such order."""

    order_id: UUID
    status: str | None
    export_id: UUID | None = None
    refusal: Exception | None = None


def oldest(orders: models.QuerySet[DraftOrder], source: OrderStatus) -> tuple[list[UUID], bool]:
    """As many as one call takes of those that wait, and whether there are more."""
    waiting = orders.filter(status=source).order_by("created_at", "id").values_list("pk", flat=True)
    ids = list(waiting[: AT_ONCE + 1])
    return ids[:AT_ONCE], len(ids) > AT_ONCE


@transaction.atomic
def push_each(bulk: BulkPush, order_ids: Sequence[UUID]) -> list[Outcome]:
    """In the order asked, which is also the one that they leave in. Raises `PushRefused` when the connection takes
    none of them."""
    push_service.require_usable(bulk.connection, bulk.organization)
    orders = _locked(bulk, order_ids)
    outcomes = [_outcome(bulk, order_id, orders.get(order_id)) for order_id in order_ids]
    begun = [outcome.export_id for outcome in outcomes if outcome.export_id]
    if begun:
        event_lines.steps("PUSH", dict.fromkeys(begun, f"Requested by {bulk.actor}."))
        push_service.wake_on_commit(bulk.connection)
    return outcomes


def _locked(bulk: BulkPush, order_ids: Sequence[UUID]) -> Mapping[UUID, DraftOrder]:
    """The organization's orders by id. Those that are in `source` stay there until the transaction ends; no others are
    locked, for a delivery may have them in hand."""
    rows = DraftOrder.objects.filter(organization=bulk.organization, pk__any_of=order_ids)
    orders = {order.pk: order for order in rows}
    waiting = [order.pk for order in orders.values() if order.status == bulk.source]
    # In one order for all, so that two calls never wait for each other in a circle.
    lock = rows.filter(pk__any_of=waiting, status=bulk.source).order_by("pk").select_for_update(no_key=True)
    lost = set(waiting) - set(lock.values_list("pk", flat=True))
    for pk, status in rows.filter(pk__any_of=lost).values_list("pk", "status") if lost else ():
        orders[pk].status = status
    return orders


def _outcome(bulk: BulkPush, order_id: UUID, order: DraftOrder | None) -> Outcome:
    if order is None:
        text = f"There is no order {order_id}. Check the id."
        return Outcome(order_id=order_id, status=None, refusal=PushRefused("not_found", text))
    try:
        export_id = _begin(bulk, order)
    except (PushRefused, ConfigError) as refusal:
        return Outcome(order_id=order_id, status=order.status, refusal=refusal)
    except IntegrityError as error:
        if fault := taken(bulk.connection, error):
            return Outcome(order_id=order_id, status=order.status, refusal=fault)
        logger.exception("Order %s was not pushed; the others of the call go on.", order_id)
        return Outcome(order_id=order_id, status=order.status, refusal=error)
    return Outcome(order_id=order_id, status=OrderStatus.PUSHING, export_id=export_id)


def _begin(bulk: BulkPush, order: DraftOrder) -> UUID:
    """Raises `PushRefused`."""
    if bulk.source == OrderStatus.ERROR:
        push_service.require_no_live_export(order)
    if order.status != bulk.source:
        raise push_service.refusal(order, bulk.source)
    request = PushRequest(order=order, actor=bulk.actor, connection=bulk.connection)
    # A savepoint: what one order runs into undoes nothing of the others.
    with transaction.atomic():
        export = push_service.begin(request, bulk.connection, bulk.source)
    if export is None:
        raise push_service.refusal(order, bulk.source)
    return export.pk
