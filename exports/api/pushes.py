import mimetypes
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from exports import push_service
from exports.api.filters import ERPExportFilter
from exports.api.push_request import push_request
from exports.api.serializers import (
    DecisionSerializer,
    ERPExportDetailSerializer,
    ERPExportSerializer,
    PushAnswerSerializer,
    PushRequestSerializer,
)
from exports.decisions import resolve
from exports.documents import archive
from exports.models import ERPExport
from exports.models.status import ExportStatus
from exports.push_service import PushRequest
from orderflow.api.errors.problems import Problem
from orderflow.api.etags import IF_MATCH
from orderflow.api.idempotency import IDEMPOTENCY_KEY, OF_KEYS
from orderflow.api.request_bodies import entered
from orderflow.api.throttles import PushThrottle
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import scoped

OF_A_PUSH = (
    *OF_KEYS,
    "changed_meanwhile",
    "no_connection",
    "unknown_connection",
    "connection_disabled",
    "connector_unusable",
)


@extend_schema(tags=["draft orders"], request=PushRequestSerializer, parameters=[IDEMPOTENCY_KEY, IF_MATCH])
class PushViewSet(GenericViewSet[DraftOrder]):
    """The calls on a draft order that make exports."""

    queryset = DraftOrder.objects.select_related("organization")
    lookup_value_converter = "any_case_uuid"
    throttle_classes = [PushThrottle]
    needs = {"push": Action.PUSH, "retry_push": Action.PUSH}
    problems = {
        "push": [*OF_A_PUSH, "not_approved", "already_pushed"],
        "retry_push": [*OF_A_PUSH, "not_failed", "still_alive"],
    }

    def get_queryset(self) -> QuerySet[DraftOrder]:
        return scoped(super().get_queryset(), self.request.user)

    @extend_schema(responses={200: PushAnswerSerializer, 202: PushAnswerSerializer})
    @action(detail=True, methods=["post"])
    def push(self, request: Request, **_: Any) -> Response:
        """Asks for an APPROVED order to be brought into the ERP. 202 while the export is PENDING; 200 when the same
        Idempotency-Key comes again after that."""
        return self._answer(push_service.push, request)

    @extend_schema(responses={200: PushAnswerSerializer, 202: PushAnswerSerializer})
    @action(detail=True, methods=["post"], url_path="retry-push")
    def retry_push(self, request: Request, **_: Any) -> Response:
        """Tries an order in ERROR once more, with a new export."""
        return self._answer(push_service.retry, request)

    def _answer(self, ask: Callable[[PushRequest], ERPExport], request: Request) -> Response:
        export = ask(push_request(request, self.get_object()))
        status = HTTPStatus.ACCEPTED if export.status == ExportStatus.PENDING else HTTPStatus.OK
        location = reverse("export-detail", [export.pk], request=request)
        return Response(PushAnswerSerializer(export).data, status=status, headers={"Location": location})


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
