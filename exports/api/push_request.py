"""From an HTTP request to a request for a push."""

import re
from http import HTTPStatus
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from connectors.models import ERPConnection
from exports.api.serializers import PushRequestSerializer
from exports.push_service import PushRefused, PushRequest
from orderflow.api.problems import Problem
from orderflow.orders.models import DraftOrder

KEY = re.compile(r"[\x21-\x7e]{1,255}")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any text that this one push of the order goes by, such as a UUID: asking again changes nothing.",
)


def push_request(request: Request, order: DraftOrder) -> PushRequest:
    entered = PushRequestSerializer(data=request.data)
    entered.is_valid(raise_exception=True)
    connection_id = entered.validated_data.get("connection")
    return PushRequest(
        order=order,
        actor=request.user.get_username(),
        connection=_connection(order, connection_id) if connection_id else None,
        idempotency_key=_key(request),
    )


def _connection(order: DraftOrder, connection_id: UUID) -> ERPConnection:
    # Of the order's organization, whoever asks.
    found = ERPConnection.objects.filter(organization_id=order.organization_id, pk=connection_id).first()
    if found is None:
        raise PushRefused("unknown_connection", f"There is no connection {connection_id}. Check the id, or name none.")
    return found


def _key(request: Request) -> str | None:
    key: str | None = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        text = "An Idempotency-Key is 1 to 255 printable ASCII characters without spaces."
        raise Problem(HTTPStatus.BAD_REQUEST, "bad_idempotency_key", text)
    return key
