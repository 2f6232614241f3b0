from functools import partial
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from orderflow.api.idempotency import IDEMPOTENCY_KEY, once
from orderflow.api.scope import require_organization
from orderflow.orders import approval, editing
from orderflow.orders.api.filters import DraftOrderFilter
from orderflow.orders.api.serializers import ApprovalSerializer, DraftOrderSerializer, DraftOrderWriteSerializer
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import scoped


@extend_schema(tags=["draft orders"])
class DraftOrderViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[DraftOrder]):
    queryset = DraftOrder.objects.select_related("customer").prefetch_related("lines")
    serializer_class = DraftOrderSerializer
    filterset_class = DraftOrderFilter
    lookup_value_converter = "uuid"
    needs = {
        "list": Action.READ,
        "retrieve": Action.READ,
        "create": Action.EDIT_ORDERS,
        "partial_update": Action.EDIT_ORDERS,
        "approve": Action.APPROVE,
    }

    def get_queryset(self) -> QuerySet[DraftOrder]:
        return scoped(super().get_queryset(), self.request.user)

    @extend_schema(
        request=DraftOrderWriteSerializer, responses={201: DraftOrderSerializer}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request) -> Response:
        """A new order is READY when nothing blocks it, else NEEDS_REVIEW with its blocking reasons."""
        organization = require_organization(request.user)
        return once(request, organization, "create-order", partial(self._create, request, organization))

    def _create(self, request: Request, organization: Organization) -> Response:
        order = editing.create(organization, self._entered(request), actor=request.user.get_username())
        location = reverse("draft-order-detail", [order.pk], request=request)
        return Response(self.get_serializer(order).data, status=201, headers={"Location": location})

    @extend_schema(request=DraftOrderWriteSerializer, responses=DraftOrderSerializer)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Sets what the body names; `lines` replaces all lines. Editing an APPROVED order takes the approval back."""
        order = self.get_object()
        order = editing.edit(order, self._entered(request), actor=request.user.get_username())
        return Response(self.get_serializer(order).data)

    @extend_schema(request=None, responses=ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **_: Any) -> Response:
        order = approval.approve(self.get_object(), request.user.get_username())
        return Response(ApprovalSerializer(order).data)

    def _entered(self, request: Request) -> dict[str, Any]:
        serializer = DraftOrderWriteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        entered: dict[str, Any] = serializer.validated_data
        return entered
