"""Exports in JSON."""

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from exports.api import examples
from exports.decisions import next_attempt
from exports.models import AckFile, ERPExport, ExportEvent, Installation, installation
from exports.models.status import ExportStatus
from orderflow.api.input.fields import Id, OptionalText
from orderflow.api.input.serializers import StrictSerializer
from orderflow.orders.status import OrderStatus

ACK_FILES = 20


class ExportEventSerializer(serializers.ModelSerializer[ExportEvent]):
    actor = OptionalText()
    message = OptionalText()
    detail = serializers.DictField()

    class Meta:
        model = ExportEvent
        fields = ["kind", "at", "actor", "message", "detail"]
        read_only_fields = fields


@extend_schema_serializer(examples=examples.SHOWN)
class ERPExportSerializer(serializers.ModelSerializer[ERPExport]):
    """`draft_order`, `connection`, `supersedes` are ids. `next_attempt_at` is never in the past, and while the
    connection is paused not before the pause ends; null while PENDING: as soon as possible, or once a blocked
    connection is released. With `undecided_since` it is never sent again, and a person decides. `held_because` is why
    a PENDING one is not sent before a person has acted."""

    requested_by = OptionalText()
    document_sha256 = OptionalText()
    dropzone_path = OptionalText()
    document_stored = serializers.SerializerMethodField()
    next_attempt_at = serializers.SerializerMethodField()
    held_because = serializers.SerializerMethodField()
    erp_order_id = OptionalText()
    error_code = OptionalText()
    error_message = OptionalText()

    class Meta:
        model = ERPExport
        fields = [
            "id",
            "status",
            "draft_order",
            "connection",
            "supersedes",
            "filename",
            "dropzone_path",
            "document_sha256",
            "document_size",
            "document_stored",
            "tries",
            "next_attempt_at",
            "undecided_since",
            "held_because",
            "sent_at",
            "answer_due_at",
            "settled_at",
            "erp_order_id",
            "error_code",
            "error_message",
            "requested_by",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_attempt_at(self, export: ERPExport) -> str | None:
        at = None if self._held else next_attempt.planned_at(export)
        return serializers.DateTimeField().to_representation(at) if at else None

    def get_held_because(self, export: ERPExport) -> str | None:
        everything = self._held
        if export.status != ExportStatus.PENDING:
            return None
        return (export.error_message if export.undecided_since else "") or (
            everything.held_because if everything else None
        )

    @cached_property
    def _held(self) -> Installation | None:
        """Read once for a list."""
        return installation.held()

    def get_document_stored(self, export: ERPExport) -> bool:
        return bool(export.storage_key)


class AnswerSerializer(serializers.ModelSerializer[AckFile]):
    """`reason` says why the file was not read, or what was wrong in it. `gone_at` is null unless a file that was not
    read has been renamed, moved or removed since."""

    reason = OptionalText()

    class Meta:
        model = AckFile
        fields = ["id", "name", "verdict", "reason", "seen_at", "gone_at"]
        read_only_fields = fields


@extend_schema_serializer(examples=examples.DETAILED)
class ERPExportDetailSerializer(ERPExportSerializer):
    """`ack_files` are the newest twenty that answer this export; `ack-files/` has all."""

    events = ExportEventSerializer(many=True)
    ack_files = serializers.SerializerMethodField()

    class Meta(ERPExportSerializer.Meta):
        fields = [*ERPExportSerializer.Meta.fields, "events", "ack_files"]
        read_only_fields = fields

    @extend_schema_field(AnswerSerializer(many=True))
    def get_ack_files(self, export: ERPExport) -> list[dict[str, Any]]:
        rows = export.ack_files.defer("raw").order_by("-id")[:ACK_FILES]
        return list(AnswerSerializer(rows, many=True).data)


@extend_schema_serializer(examples=examples.PUSHED_OVER)
class PushRequestSerializer(StrictSerializer):
    """Without `connection`, the id of one, the order goes over the organization's default."""

    connection = Id(required=False, allow_null=True)


@extend_schema_serializer(examples=examples.DECIDED)
class DecisionSerializer(StrictSerializer):
    """`delivered` says whether the order is in the ERP; `reason` how that was established, for the history."""

    delivered = serializers.BooleanField()
    reason = serializers.CharField(max_length=300)


@extend_schema_serializer(examples=examples.PUSHED)
class PushAnswerSerializer(serializers.Serializer[ERPExport]):
    """`status` is the order's."""

    status = serializers.ChoiceField(choices=OrderStatus.choices, source="draft_order.status")
    erp_export_id = serializers.UUIDField(source="id")
