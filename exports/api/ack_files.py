"""The ledger of what the ERP answered."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.viewsets import GenericViewSet

from exports.api import examples
from exports.api.filters import AckFileFilter
from exports.models import AckFile
from orderflow.api.input.fields import OptionalText
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import scoped


@extend_schema_serializer(examples=examples.ACK_SHOWN)
class AckFileSerializer(serializers.ModelSerializer[AckFile]):
    """`connection` and `export` are ids; `export` is null when the file answers nothing that was sent. `left_because`
    says why the file could not be moved out of the way. `sha256` is null while the file has not been read, and
    `gone_at` unless a file that was not read has been renamed, moved or removed since."""

    sha256 = OptionalText()
    reason = OptionalText()
    left_because = OptionalText()

    class Meta:
        model = AckFile
        fields = [
            "id",
            "name",
            "verdict",
            "reason",
            "connection",
            "export",
            "sha256",
            "size",
            "seen_at",
            "left_because",
            "gone_at",
        ]
        read_only_fields = fields


@extend_schema_serializer(examples=examples.ACK_READ)
class AckFileDetailSerializer(AckFileSerializer):
    """`raw` is the file's text as it was read."""

    raw = OptionalText()

    class Meta(AckFileSerializer.Meta):
        fields = [*AckFileSerializer.Meta.fields, "raw"]
        read_only_fields = fields


@extend_schema_view(
    list=extend_schema(description="Every file that an ERP answered with, and what it came to."),
    retrieve=extend_schema(description="One answer, with its text."),
)
@extend_schema(tags=["ack files"])
class AckFileViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[AckFile]):
    queryset = AckFile.objects.all()
    filterset_class = AckFileFilter
    # Entered one after the other: their ids tell which is newer, also of those that came at one moment.
    orderings = ("-id", "id")
    lookup_value_converter = "int"
    needs = {"list": Action.READ, "retrieve": Action.READ}

    def get_queryset(self) -> QuerySet[AckFile]:
        rows = scoped(super().get_queryset(), self.request.user)
        # Up to a megabyte each.
        return rows if self.action == "retrieve" else rows.defer("raw")

    def get_serializer_class(self) -> type[AckFileSerializer]:
        return AckFileDetailSerializer if self.action == "retrieve" else AckFileSerializer
