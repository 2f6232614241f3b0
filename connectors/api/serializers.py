"""Connections in JSON. A secret goes in and never comes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from connectors.api import examples
from connectors.connections.public_config import public_config
from connectors.connections.service import ConnectionChanges
from connectors.models import ConnectionEvent, ERPConnection
from orderflow.api.input.fields import Identifier, OptionalText
from orderflow.api.input.serializers import StrictSerializer

EVENTS = 100


@extend_schema_serializer(examples=examples.SHOWN)
class ERPConnectionSerializer(serializers.ModelSerializer[ERPConnection]):
    """`config` is without its secrets; `secrets_set` names those that are stored. `config` is null when it cannot be
    read, and `config_error` says why."""

    config = serializers.SerializerMethodField()
    secrets_set = serializers.SerializerMethodField()
    config_error = serializers.SerializerMethodField()
    last_test_message = OptionalText()
    blocked_reason = OptionalText()

    class Meta:
        model = ERPConnection
        fields = [
            "id",
            "name",
            "connector_type",
            "status",
            "is_default",
            "config",
            "secrets_set",
            "config_error",
            "last_test_at",
            "last_test_success",
            "last_test_message",
            "last_test_latency_ms",
            "blocked_at",
            "blocked_reason",
            "paused_until",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_config(self, connection: ERPConnection) -> dict[str, Any] | None:
        values = public_config(connection).values
        return None if values is None else dict(values)

    def get_secrets_set(self, connection: ERPConnection) -> list[str]:
        return list(public_config(connection).secrets_set)

    def get_config_error(self, connection: ERPConnection) -> str | None:
        return public_config(connection).error


class ConnectionEventSerializer(serializers.ModelSerializer[ConnectionEvent]):
    actor = OptionalText()
    message = OptionalText()

    class Meta:
        model = ConnectionEvent
        fields = ["kind", "at", "actor", "message"]
        read_only_fields = fields


@extend_schema_serializer(examples=examples.DETAILED)
class ERPConnectionDetailSerializer(ERPConnectionSerializer):
    """`events` are the newest hundred: paused, resumed, blocked, released; the newest first."""

    events = serializers.SerializerMethodField()

    class Meta(ERPConnectionSerializer.Meta):
        fields = [*ERPConnectionSerializer.Meta.fields, "events"]
        read_only_fields = fields

    @extend_schema_field(ConnectionEventSerializer(many=True))
    def get_events(self, connection: ERPConnection) -> list[dict[str, Any]]:
        rows = connection.events.order_by("-id")[:EVENTS]
        return list(ConnectionEventSerializer(rows, many=True).data)


@extend_schema_serializer(examples=examples.CHANGED)
class ConnectionChangesSerializer(StrictSerializer):
    """Of `config`, a field that is left out keeps its value; null removes it; an empty secret keeps the stored one.
    `leave_acks` confirms an edit after which acknowledgements that are still awaited are not read."""

    name = Identifier(required=False, max_length=120)
    status = serializers.ChoiceField(required=False, choices=ERPConnection.Status.choices)
    is_default = serializers.BooleanField(required=False)
    config = serializers.DictField(required=False)
    leave_acks = serializers.BooleanField(required=False)

    def changes(self) -> ConnectionChanges:
        entered = self.validated_data
        return ConnectionChanges(
            name=entered.get("name"),
            status=entered.get("status"),
            is_default=entered.get("is_default"),
            config=entered.get("config"),
            leave_acks=entered.get("leave_acks", False),
        )


@extend_schema_serializer(examples=examples.ENTERED)
class NewConnectionSerializer(ConnectionChangesSerializer):
    """`connector-types/` tells which types there are, and which config each one takes. An organization's first
    connection becomes its default unless `is_default` is false."""

    name = Identifier(max_length=120)
    connector_type = serializers.CharField(max_length=60)
    config = serializers.DictField()
    # Of a new one, none are awaited.
    leave_acks = None  # type: ignore[assignment] # so DRF takes a field away


@extend_schema_serializer(examples=examples.TRIED)
class UnsavedConfigSerializer(StrictSerializer):
    """Edits to try before they are saved; without them the stored config is tried, and the outcome kept."""

    config = serializers.DictField(required=False)


class TestStepSerializer(serializers.Serializer[Any]):
    __test__ = False

    name = serializers.CharField()
    success = serializers.BooleanField()
    duration_ms = serializers.IntegerField()
    detail = serializers.CharField()


@extend_schema_serializer(examples=examples.OUTCOME)
class TestResultSerializer(serializers.Serializer[Any]):
    """`host_key` is what the server showed when none, or another one, is pinned: compare it, then set it."""

    __test__ = False

    success = serializers.BooleanField()
    error_message = serializers.CharField(allow_null=True)
    latency_ms = serializers.IntegerField()
    steps = TestStepSerializer(many=True)
    host_key = serializers.CharField(allow_null=True)
