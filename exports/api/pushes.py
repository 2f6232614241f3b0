from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from exports import push_service
from exports.api.push_request import push_request
from exports.api.serializers import (
    PushAnswerSerializer,
    PushRequestSerializer,
)
from exports.models import ERPExport
from exports.models.status import ExportStatus
from exports.push_service import PushRequest
from orderflow.api.etags import IF_MATCH
from orderflow.api.idempotency import IDEMPOTENCY_KEY, OF_KEYS
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
