"""From an HTTP request to a request for a push."""

from uuid import UUID

from rest_framework.request import Request

from connectors.models import ERPConnection
from exports.api.serializers import PushRequestSerializer
from exports.push_service import PushRefused, PushRequest
from orderflow.api.idempotency import idempotency_key
from orderflow.orders.models import DraftOrder


def push_request(request: Request, order: DraftOrder) -> PushRequest:
    entered = PushRequestSerializer(data=request.data)
    entered.is_valid(raise_exception=True)
    connection_id = entered.validated_data.get("connection")
    return PushRequest(
        order=order,
        actor=request.user.get_username(),
        connection=_connection(order, connection_id) if connection_id else None,
        idempotency_key=idempotency_key(request),
    )


def _connection(order: DraftOrder, connection_id: UUID) -> ERPConnection:
    # Of the order's organization, whoever asks.
    found = ERPConnection.objects.filter(organization_id=order.organization_id, pk=connection_id).first()
    if found is None:
        raise PushRefused("unknown_connection", f"There is no connection {connection_id}. Check the id, or name none.")
    return found
