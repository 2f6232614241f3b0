import mimetypes
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from exports.api.filters import ERPExportFilter
from exports.api.serializers import (
    DecisionSerializer,
    ERPExportDetailSerializer,
    ERPExportSerializer,
)
from exports.decisions import resolve
from exports.documents import archive
from exports.models import ERPExport
from orderflow.api.errors.problems import Problem
from orderflow.api.request_bodies import entered
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import scoped


@extend_schema_view(
    list=extend_schema(description="The organization's exports: each is one attempt to bring one order into the ERP."),
    retrieve=extend_schema(description="Where the export stands, and every step that it took."),
)
@extend_schema(tags=["exports"])
class ERPExportViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[ERPExport]):
    queryset = ERPExport.objects.select_related("connection").defer("connection__config_encrypted")
    filterset_class = ERPExportFilter
    lookup_value_converter = "any_case_uuid"
    needs = {"list": Action.READ, "retrieve": Action.READ, "document": Action.READ, "decide": Action.PUSH}
    problems = {"document": ["document_not_stored"], "decide": ["body_required", "not_undecided"]}

    def get_queryset(self) -> QuerySet[ERPExport]:
        return scoped(super().get_queryset(), self.request.user)

    def get_serializer_class(self) -> type[BaseSerializer[ERPExport]]:
        return ERPExportDetailSerializer if self.action == "retrieve" else ERPExportSerializer

    @extend_schema(request=DecisionSerializer, responses=ERPExportSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, **_: Any) -> Response:
        """Says of an export in doubt whether it was delivered: it becomes SENT, or FAILED and its order can be
        retried."""
        export = self.get_object()
        decision = entered(request, DecisionSerializer).validated_data
        decided = resolve.decide(export, actor=request.user.get_username(), **decision)
        return Response(ERPExportSerializer(decided).data)

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.BINARY})
    @action(detail=True)
    def document(self, request: Request, **_: Any) -> HttpResponse:  # noqa: ARG002 - the framework's signature
        """The exact bytes that were sent."""
        export = self.get_object()
        try:
            with archive.read(export) as file:
                content = file.read()
        except FileNotFoundError as error:
            text = f"No copy of {export.filename} is stored yet. Export {export.pk} is {export.status}."
            raise Problem("document_not_stored", text) from error
        content_type = mimetypes.guess_type(export.filename)[0] or "application/octet-stream"
        disposition = f'attachment; filename="{export.filename}"'
        return HttpResponse(content, content_type=content_type, headers={"Content-Disposition": disposition})
