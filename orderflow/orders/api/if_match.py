from contextlib import AbstractContextManager
from typing import Any

from rest_framework.request import Request

from orderflow.api.if_match import held_as_seen
from orderflow.orders.api.serializers import DraftOrderSerializer
from orderflow.orders.models import DraftOrder


def as_seen(request: Request, order: DraftOrder) -> AbstractContextManager[None]:
    """As `held_as_seen`."""
    # The customer is not joined: PostgreSQL would join the row's old values, had it waited for the lock.
    return held_as_seen(request, order, DraftOrder.objects.prefetch_related("lines"), _shown)


def _shown(order: DraftOrder) -> Any:
    return DraftOrderSerializer(order).data
