"""Many orders at once, in JSON."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from exports.api import examples
from exports.bulk.push import AT_ONCE
from orderflow.api.input.fields import Id, ZonedTime
from orderflow.api.input.serializers import StrictSerializer
from orderflow.orders.status import OrderStatus


class OrdersNamedSerializer(StrictSerializer):
    """By the filters of the orders' list."""

    customer = Id(required=False)
    erp_customer_number = serializers.CharField(required=False, max_length=60)
    external_order_number = serializers.CharField(required=False, max_length=80)
    created_after = ZonedTime(required=False)
    created_before = ZonedTime(required=False)


@extend_schema_serializer(examples=examples.ASKED_AT_ONCE)
class BulkPushSerializer(StrictSerializer):
    """Either `ids` or `filter`: the oldest orders that wait and that it finds, all of them when it is empty. They go
    over `connection`, the id of one, or over the organization's default."""

    ids = serializers.ListField(child=Id(), required=False, min_length=1, max_length=AT_ONCE)
    filter = OrdersNamedSerializer(required=False)
    connection = Id(required=False, allow_null=True)

    def validate_ids(self, ids: list[UUID]) -> list[UUID]:
        seen: set[UUID] = set()
        errors: dict[str, str] = {}
        for place, order_id in enumerate(ids):
            if order_id in seen:
                errors[str(place)] = "This order is named already. Name it once."
            seen.add(order_id)
        if errors:
            raise serializers.ValidationError(errors)
        return ids

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "ids" not in attrs and "filter" not in attrs:
            raise serializers.ValidationError({"ids": "Name the orders by `ids`, or by a `filter`; {} finds all."})
        if "ids" in attrs and "filter" in attrs:
            raise serializers.ValidationError({"filter": "Name the orders by `ids` or by a `filter`, not by both."})
        return attrs


class FieldErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    message = serializers.CharField()


class RefusalSerializer(serializers.Serializer[Any]):
    """As a call for this order alone would answer it."""

    code = serializers.CharField()
    detail = serializers.CharField(source="text")
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # that of the form, which has no input


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    """`status` is the order's by now, null when there is no such order; `problem` is null when it was accepted."""

    draft_order = serializers.UUIDField(source="order_id")
    status = serializers.ChoiceField(choices=OrderStatus.choices, allow_null=True)
    erp_export_id = serializers.UUIDField(source="export_id", allow_null=True)
    problem = RefusalSerializer(allow_null=True)


@extend_schema_serializer(examples=examples.PUSHED_AT_ONCE)
class BulkAnswerSerializer(serializers.Serializer[Any]):
    """`results` are in the order asked. `has_more`: the filter finds more orders than one call takes."""

    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    has_more = serializers.BooleanField()
    results = BulkOutcomeSerializer(many=True)
