"""From review to approval, and back when somebody edits."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from orderflow.orders.models import DraftOrder
from orderflow.orders.ready_check import BlockingReason, blocking_reasons
from orderflow.orders.status import EDITABLE, OrderStatus
from orderflow.tenancy.audit import record

# The fields of an order that has to be approved again.
NO_APPROVAL: dict[str, Any] = {"approved_at": None, "approved_by": "", "error_message": ""}


class NotPossible(Exception):
    """The order's state does not allow it. `reasons` say what to mend, where there is something to mend."""

    def __init__(self, message: str, reasons: list[BlockingReason] | None = None) -> None:
        super().__init__(message)
        self.reasons = reasons or []


class DuplicateOrderNumber(Exception):
    """The customer has an order of this number already."""


@transaction.atomic
def approve(order: DraftOrder, actor: str) -> DraftOrder:
    """READY -> APPROVED. Raises `NotPossible`."""
    reasons = blocking_reasons(order)
    if reasons:
        raise NotPossible(f"Order {order} cannot be approved: {reasons[0].message}", reasons)
    if not _move(order, OrderStatus.READY, OrderStatus.APPROVED, approved_at=timezone.now(), approved_by=actor):
        order.refresh_from_db(fields=["status"])
        raise NotPossible(f"Order {order} is {order.status}; only a READY order can be approved.")
    record(order.organization_id, actor, "approve", order)
    order.refresh_from_db()
    return order


@transaction.atomic
def reject(order: DraftOrder, actor: str) -> DraftOrder:
    """Any editable state -> REJECTED, until the order is reopened. Raises `NotPossible`."""
    if order.status not in EDITABLE or not _move(order, order.status, OrderStatus.REJECTED):
        raise NotPossible(f"Order {order} is {order.status} and cannot be rejected.")
    record(order.organization_id, actor, "reject", order)
    order.refresh_from_db()
    return order


@transaction.atomic
def reopen(order: DraftOrder, actor: str) -> DraftOrder:
    """REJECTED -> READY or NEEDS_REVIEW, by the ready check. Raises `NotPossible`, and `DuplicateOrderNumber` when
    another order has the number now."""
    try:
        # A savepoint: the caller's transaction goes on after a refusal.
        with transaction.atomic():
            moved = _move(order, OrderStatus.REJECTED, OrderStatus.NEEDS_REVIEW, **NO_APPROVAL)
    except IntegrityError as error:
        raise DuplicateOrderNumber(
            f"Order {order} cannot be reopened: customer {order.customer} has another order with this number now. "
            "Continue with that one, or reject it and then reopen this one."
        ) from error
    if not moved:
        order.refresh_from_db(fields=["status"])
        raise NotPossible(f"Order {order} is {order.status}; only a REJECTED order can be reopened.")
    record(order.organization_id, actor, "reopen", order)
    order.refresh_from_db()
    return recheck(order)


def recheck(order: DraftOrder) -> DraftOrder:
    """After an edit: READY or NEEDS_REVIEW by the ready check. An approval does not outlive what it approved."""
    target = OrderStatus.NEEDS_REVIEW if blocking_reasons(order) else OrderStatus.READY
    if order.status != target and not _move(order, order.status, target, **NO_APPROVAL):
        raise NotPossible(f"Order {order} was changed meanwhile. Load it again.")
    order.refresh_from_db()
    return order


def _move(order: DraftOrder, source: str, target: str, **fields: Any) -> bool:
    return DraftOrder.objects.filter(pk=order.pk).move(source, target, updated_at=timezone.now(), **fields) == 1


def require_editable(order: DraftOrder) -> None:
    if order.status not in EDITABLE:
        next_step = " Reopen it first." if order.status == OrderStatus.REJECTED else ""
        raise NotPossible(f"Order {order} is {order.status} and can no longer be edited.{next_step}")
