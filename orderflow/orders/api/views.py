from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from orderflow.api.errors.problem_codes import WITH_A_BODY
from orderflow.api.etags import ETAG, IF_MATCH, IF_NONE_MATCH, etag_of, is_known, require_match
from orderflow.api.idempotency import IDEMPOTENCY_KEY, OF_KEYS, once
from orderflow.api.input.serializers import StrictSerializer
from orderflow.api.organization import require_organization
from orderflow.api.request_bodies import entered
from orderflow.orders import approval, editing
from orderflow.orders.api.filters import DraftOrderFilter
from orderflow.orders.api.if_match import as_seen
from orderflow.orders.api.serializers import ApprovalSerializer, DraftOrderSerializer, DraftOrderWriteSerializer
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import scoped


@extend_schema_view(
    list=extend_schema(description="The organization's orders with their lines."),
    retrieve=extend_schema(description="One order with its lines, and what keeps it from being ready."),
)
@extend_schema(tags=["draft orders"])
class DraftOrderViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[DraftOrder]):
    queryset = DraftOrder.objects.select_related("customer").prefetch_related("lines")
    serializer_class = DraftOrderSerializer
    filterset_class = DraftOrderFilter
    lookup_value_converter = "any_case_uuid"
    needs = {
        "list": Action.READ,
        "retrieve": Action.READ,
        "create": Action.EDIT_ORDERS,
        "partial_update": Action.EDIT_ORDERS,
        "approve": Action.APPROVE,
        "reopen": Action.APPROVE,
    }
    problems = {
        "retrieve": ["changed_meanwhile"],
        "create": [*OF_KEYS, "body_required", "no_organization", "duplicate_order_number"],
        "partial_update": ["body_required", "changed_meanwhile", "wrong_status", "duplicate_order_number"],
        "approve": [*WITH_A_BODY, "changed_meanwhile", "not_ready", "wrong_status"],
        "reopen": [*WITH_A_BODY, "changed_meanwhile", "wrong_status", "duplicate_order_number"],
    }

    def get_queryset(self) -> QuerySet[DraftOrder]:
        return scoped(super().get_queryset(), self.request.user)

    @extend_schema(responses={200: DraftOrderSerializer, 304: None}, parameters=[ETAG, IF_NONE_MATCH, IF_MATCH])
    def retrieve(self, request: Request, **_: Any) -> Response:
        """The ETag is for If-Match, on the calls that change the order."""
        response = self._shown(self.get_object())
        require_match(request, response["ETag"])
        if is_known(request, response["ETag"]):
            return Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": response["ETag"]})
        return response

    @extend_schema(
        request=DraftOrderWriteSerializer, responses={201: DraftOrderSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG]
    )
    def create(self, request: Request) -> Response:
        """Enters an order. It is READY when nothing blocks it, else NEEDS_REVIEW with its blocking reasons."""
        organization = require_organization(request.user)
        return once(request, organization, "create-order", partial(self._create, request, organization))

    def _create(self, request: Request, organization: Organization) -> Response:
        order = editing.create(organization, self._entered(request), actor=request.user.get_username())
        location = reverse("draft-order-detail", [order.pk], request=request)
        return self._shown(order, status=HTTPStatus.CREATED, headers={"Location": location})

    @extend_schema(request=DraftOrderWriteSerializer, responses=DraftOrderSerializer, parameters=[ETAG, IF_MATCH])
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Sets what the body names; `lines` replaces all lines. Editing an APPROVED order takes the approval back."""
        order, values = self.get_object(), self._entered(request)
        with as_seen(request, order):
            order = editing.edit(order, values, actor=request.user.get_username())
        return self._shown(order)

    @extend_schema(request=None, responses=ApprovalSerializer, parameters=[ETAG, IF_MATCH])
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **_: Any) -> Response:
        """READY becomes APPROVED, and may be pushed. The ETag is that of the order, approved."""
        order = self.get_object()
        entered(request, StrictSerializer, optional=True)
        with as_seen(request, order):
            order = approval.approve(order, request.user.get_username())
        etag = etag_of(self.get_serializer(order).data)
        return Response(ApprovalSerializer(order).data, headers={"ETag": etag})

    @extend_schema(request=None, responses=DraftOrderSerializer, parameters=[ETAG, IF_MATCH])
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, **_: Any) -> Response:
        """REJECTED becomes READY when nothing blocks the order, else NEEDS_REVIEW. It has to be approved again."""
        order = self.get_object()
        entered(request, StrictSerializer, optional=True)
        with as_seen(request, order):
            order = approval.reopen(order, request.user.get_username())
        return self._shown(order)

    def _shown(
        self, order: DraftOrder, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
    ) -> Response:
        data = self.get_serializer(order).data
        return Response(data, status=status, headers={"ETag": etag_of(data), **(headers or {})})

    def _entered(self, request: Request) -> dict[str, Any]:
        values: dict[str, Any] = entered(request, DraftOrderWriteSerializer).validated_data
        return values
