"""The states of a draft order and the only ways between them."""

from django.db import models


class OrderStatus(models.TextChoices):
    NEEDS_REVIEW = "NEEDS_REVIEW", "Needs review"
    READY = "READY", "Ready"
    APPROVED = "APPROVED", "Approved"
    PUSHING = "PUSHING", "Pushing"
    PUSHED = "PUSHED", "Pushed"
    ERROR = "ERROR", "Error"
    REJECTED = "REJECTED", "Rejected"


S = OrderStatus

ALLOWED: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.NEEDS_REVIEW: frozenset({S.READY, S.REJECTED}),
    S.READY: frozenset({S.NEEDS_REVIEW, S.APPROVED, S.REJECTED}),
    S.APPROVED: frozenset({S.NEEDS_REVIEW, S.READY, S.PUSHING, S.REJECTED}),
    S.PUSHING: frozenset({S.PUSHED, S.ERROR}),
    # The ERP may refuse an order long after it took the file.
    S.PUSHED: frozenset({S.ERROR}),
    # It may turn out that the ERP took it.
    S.ERROR: frozenset({S.NEEDS_REVIEW, S.READY, S.PUSHING, S.PUSHED, S.REJECTED}),
    S.REJECTED: frozenset({S.NEEDS_REVIEW}),
}

EDITABLE = frozenset({S.NEEDS_REVIEW, S.READY, S.APPROVED, S.ERROR})
