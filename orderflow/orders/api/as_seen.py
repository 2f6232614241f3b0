from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework.request import Request

from orderflow.api.etags import etag_of, require_match
from orderflow.orders.api.serializers import DraftOrderSerializer
from orderflow.orders.models import DraftOrder


@contextmanager
def as_seen(request: Request, order: DraftOrder) -> Iterator[None]:
    """What the block does, it does to the order that the request's If-Match names, or not at all: nobody changes the
    order between the comparison and the end of the block. Without the header it is just run."""
    if "If-Match" not in request.headers:
        yield
        return
    with transaction.atomic():
        # The customer is not joined: PostgreSQL would join the row's old values, had it waited for the lock.
        locked = DraftOrder.objects.select_for_update(of=("self",)).prefetch_related("lines")
        now = get_object_or_404(locked, pk=order.pk)
        require_match(request, etag_of(DraftOrderSerializer(now).data))
        yield
