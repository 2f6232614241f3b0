"""From an HTTP request to a request for a push."""

from functools import partial
from uuid import UUID

from rest_framework.request import Request

from connectors.models import ERPConnection
from exports.api.serializers import PushRequestSerializer
from exports.models.status import PushRefused
from exports.push_service import PushRequest
from orderflow.api.idempotency import idempotency_key
from orderflow.api.request_bodies import entered
from orderflow.orders.api.if_match import as_seen
from orderflow.orders.models import DraftOrder


def push_request(request: Request, order: DraftOrder) -> PushRequest:
    values = entered(request, PushRequestSerializer, optional=True).validated_data
    return PushRequest(
        order=order,
        actor=request.user.get_username(),
        # Of the order's organization, whoever asks.
        connection=named_connection(order.organization_id, values.get("connection")),
        idempotency_key=idempotency_key(request),
        # Not of a push that was asked for before by the same key: that has changed the order, and is done.
        as_seen=partial(as_seen, request, order),
    )


def named_connection(organization_id: UUID, connection_id: UUID | None) -> ERPConnection | None:
    """None where none is named. Raises `PushRefused`."""
    if connection_id is None:
        return None
    found = ERPConnection.objects.filter(organization_id=organization_id, pk=connection_id).first()
    if found is None:
        raise PushRefused("unknown_connection", f"There is no connection {connection_id}. Check the id, or name none.")
    return found
