"""From review to approval, and back when somebody edits."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from orderflow.orders.models import DraftOrder
from orderflow.orders.ready_check import BlockingReason, blocking_reasons
from orderflow.orders.transitions import EDITABLE, OrderStatus
from orderflow.tenancy.models import record


class NotPossible(Exception):
    """The order's state does not allow it. `reasons` say what to mend, where there is something to mend."""

    def __init__(self, message: str, reasons: list[BlockingReason] | None = None) -> None:
        super().__init__(message)
        self.reasons = reasons or []


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
    """Take the order out of the way for good, unless somebody reopens it. Raises `NotPossible`."""
    if order.status not in EDITABLE or not _move(order, order.status, OrderStatus.REJECTED):
        raise NotPossible(f"Order {order} is {order.status} and cannot be rejected.")
    record(order.organization_id, actor, "reject", order)
    order.refresh_from_db()
    return order


def recheck(order: DraftOrder) -> DraftOrder:
    """After an edit: READY or NEEDS_REVIEW by the ready check. An approval does not outlive what it approved."""
    target = OrderStatus.NEEDS_REVIEW if blocking_reasons(order) else OrderStatus.READY
    cleared = {"approved_at": None, "approved_by": "", "error_message": ""}
    if order.status != target and not _move(order, order.status, target, **cleared):
        raise NotPossible(f"Order {order} was changed meanwhile. Load it again.")
    order.refresh_from_db()
    return order


def _move(order: DraftOrder, source: str, target: str, **fields: Any) -> bool:
    return DraftOrder.objects.filter(pk=order.pk).move(source, target, updated_at=timezone.now(), **fields) == 1


def require_editable(order: DraftOrder) -> None:
    if order.status not in EDITABLE:
        raise NotPossible(f"Order {order} is {order.status} and can no longer be edited.")
