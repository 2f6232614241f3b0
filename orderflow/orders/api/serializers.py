"""Draft orders in JSON."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from orderflow.api.input.fields import ExactNumber, Id, Identifier, OptionalIdentifier, OptionalText, WholeNumber
from orderflow.api.input.serializers import StrictSerializer
from orderflow.orders.api import examples
from orderflow.orders.editing import CustomerReference
from orderflow.orders.models import Customer, DraftOrder, currency_code
from orderflow.orders.ready_check import BlockingReason, Remark, blocking_reasons, remarks

MAX_LINES = 10_000


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = ["id", "erp_customer_number", "name"]


class CustomerReferenceSerializer(StrictSerializer):
    """A customer by `id`, or by number. An unknown number makes a new customer, and needs `name`; the name of a known
    customer stays as it is."""

    id = Id(required=False)
    erp_customer_number = Identifier(required=False, max_length=60)
    name = serializers.CharField(required=False, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" not in attrs and "erp_customer_number" not in attrs:
            raise serializers.ValidationError({"erp_customer_number": "Give the customer's number, or its id."})
        return attrs


class LineSerializer(StrictSerializer):
    """Without `line_no` a line is numbered by its place; without `currency` it has the order's own."""

    line_no = WholeNumber(required=False, min_value=1, max_value=2**31 - 1)
    internal_sku = OptionalIdentifier(max_length=80)
    qty = ExactNumber(max_digits=15, decimal_places=3)
    uom = OptionalIdentifier(max_length=10)
    unit_price = ExactNumber(max_digits=15, decimal_places=4, required=False)
    currency = OptionalIdentifier(max_length=3, validators=[currency_code])
    customer_sku_raw = OptionalIdentifier(max_length=120)
    description = OptionalText(max_length=500)


class BlockingReasonSerializer(serializers.Serializer[Any]):
    """`pointer` is a JSON pointer into the order."""

    pointer = serializers.CharField()
    message = serializers.CharField()


class RemarkSerializer(BlockingReasonSerializer):
    """Unusual, but no obstacle: such as a unit price of 0."""


class SourceDocumentSerializer(StrictSerializer):
    document_id = OptionalIdentifier(source="source_document_id", max_length=120)
    file_name = OptionalText(source="source_file_name", max_length=255)
    sha256 = OptionalText(source="source_sha256", max_length=64)


@extend_schema_serializer(examples=examples.SHOWN)
class DraftOrderSerializer(serializers.ModelSerializer[DraftOrder]):
    customer = CustomerSerializer(allow_null=True)
    external_order_number = OptionalText()
    currency = OptionalText()
    notes = OptionalText()
    lines = LineSerializer(many=True)
    source_document = SourceDocumentSerializer(source="*")
    approved_by = OptionalText()
    created_by = OptionalText()
    erp_order_id = OptionalText()
    error_message = OptionalText()
    blocking_reasons = serializers.SerializerMethodField()
    remarks = serializers.SerializerMethodField()

    class Meta:
        model = DraftOrder
        fields = [
            "id",
            "status",
            "blocking_reasons",
            "remarks",
            "external_order_number",
            "customer",
            "order_date",
            "currency",
            "requested_delivery_date",
            "notes",
            "lines",
            "source_document",
            "approved_at",
            "approved_by",
            "erp_order_id",
            "error_message",
            "created_by",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    @extend_schema_field(BlockingReasonSerializer(many=True))
    def get_blocking_reasons(self, order: DraftOrder) -> list[dict[str, str]]:
        return _pointed(blocking_reasons(order))

    @extend_schema_field(RemarkSerializer(many=True))
    def get_remarks(self, order: DraftOrder) -> list[dict[str, str]]:
        return _pointed(remarks(order))


@extend_schema_serializer(examples=examples.ENTERED)
class DraftOrderWriteSerializer(StrictSerializer):
    """What a person or a program enters. `lines`, where given, are all of the order's lines."""

    external_order_number = OptionalIdentifier(max_length=80)
    customer = CustomerReferenceSerializer(required=False, allow_null=True)
    order_date = serializers.DateField(required=False, allow_null=True)
    currency = OptionalIdentifier(max_length=3, validators=[currency_code])
    requested_delivery_date = serializers.DateField(required=False, allow_null=True)
    notes = OptionalText(max_length=4000)
    lines = LineSerializer(many=True, required=False, max_length=MAX_LINES)  # type: ignore[call-arg]  # the list's
    source_document = SourceDocumentSerializer(source="*", required=False)

    def validate_customer(self, value: dict[str, Any] | None) -> CustomerReference | None:
        return CustomerReference(**value) if value else None

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        numbered = [{"line_no": place, **line} for place, line in enumerate(lines, start=1)]
        seen: set[int] = set()
        errors = [_repeated(line["line_no"], seen) for line in numbered]
        if any(errors):
            raise serializers.ValidationError(errors)
        return numbered


def _pointed(findings: Iterable[BlockingReason | Remark]) -> list[dict[str, str]]:
    return [{"pointer": f"/{finding.field}", "message": finding.message} for finding in findings]


def _repeated(line_no: int, seen: set[int]) -> dict[str, str]:
    if line_no in seen:
        return {"line_no": f"Line {line_no} is there already. Number the lines differently, or not at all."}
    seen.add(line_no)
    return {}


@extend_schema_serializer(examples=examples.APPROVED)
class ApprovalSerializer(serializers.ModelSerializer[DraftOrder]):
    class Meta:
        model = DraftOrder
        fields = ["status", "approved_at"]
        read_only_fields = fields
