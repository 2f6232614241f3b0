"""The calls that write."""

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from connectors.api.serializers import ConnectionChangesSerializer, NewConnectionSerializer, UnsavedConfigSerializer
from exports.api.bulk_serializers import BulkPushSerializer
from exports.api.serializers import PushRequestSerializer
from orderflow.orders.api.serializers import DraftOrderWriteSerializer

LINE = {"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2}


CUSTOMER = {"erp_customer_number": "NEW-1", "name": "New"}


FOLDER = {"mode": "filesystem", "export_path": "in"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """A call with a body. `{order}` and `{connection}` in its path stand for ids; `body` is one that is taken."""

    method: str
    path: str
    serializer: type[serializers.Serializer[Any]]
    body: dict[str, Any]


WRITES = {
    "create": Write(
        method="POST",
        path="draft-orders/",
        serializer=DraftOrderWriteSerializer,
        body={"currency": "EUR", "customer": CUSTOMER, "lines": [LINE]},
    ),
    "edit": Write(
        method="PATCH",
        path="draft-orders/{order}/",
        serializer=DraftOrderWriteSerializer,
        body={"notes": "x", "customer": CUSTOMER, "lines": [LINE]},
    ),
    "push": Write(method="POST", path="draft-orders/{order}/push/", serializer=PushRequestSerializer, body={}),
    "retry": Write(method="POST", path="draft-orders/{order}/retry-push/", serializer=PushRequestSerializer, body={}),
    "push many": Write(method="POST", path="draft-orders/push/", serializer=BulkPushSerializer, body={"filter": {}}),
    "retry many": Write(
        method="POST", path="draft-orders/retry-push/", serializer=BulkPushSerializer, body={"filter": {}}
    ),
    "connect": Write(
        method="POST",
        path="erp-connections/",
        serializer=NewConnectionSerializer,
        body={"name": "New", "connector_type": "DROPZONE_JSON_V1", "config": FOLDER},
    ),
    "change": Write(
        method="PATCH",
        path="erp-connections/{connection}/",
        serializer=ConnectionChangesSerializer,
        body={"name": "Renamed", "config": {"export_path": "in"}},
    ),
    "test": Write(
        method="POST",
        path="erp-connections/{connection}/test/",
        serializer=UnsavedConfigSerializer,
        body={"config": {"export_path": "in"}},
    ),
}
