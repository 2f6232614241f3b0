from functools import partial
from typing import Any
from uuid import UUID

from django_filters.utils import translate_validation
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from exports import push_service
from exports.api.bulk_serializers import BulkAnswerSerializer, BulkPushSerializer
from exports.api.push_request import named_connection
from exports.bulk import push as bulk_push
from exports.bulk.push import BulkPush, Outcome
from orderflow.api.errors.problems import as_problem, internal_error
from orderflow.api.idempotency import IDEMPOTENCY_KEY, OF_KEYS, once
from orderflow.api.organization import require_organization
from orderflow.api.request_bodies import entered
from orderflow.api.throttles import PushThrottle
from orderflow.orders.api.filters import DraftOrderFilter
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action

OF_BULK = (*OF_KEYS, "body_required", "no_organization", "no_connection", "unknown_connection", "connection_disabled")


@extend_schema(
    tags=["draft orders"], request=BulkPushSerializer, responses=BulkAnswerSerializer, parameters=[IDEMPOTENCY_KEY]
)
class BulkPushViewSet(GenericViewSet[DraftOrder]):
    """The calls that make exports of many draft orders."""

    queryset = DraftOrder.objects.all()
    throttle_classes = [PushThrottle]
    needs = {"push": Action.PUSH, "retry_push": Action.PUSH}
    problems = {"push": OF_BULK, "retry_push": OF_BULK}

    @extend_schema(operation_id="draft_orders_push_many")
    @action(detail=False, methods=["post"])
    def push(self, request: Request) -> Response:
        """Asks for APPROVED orders to be brought into the ERP. Each gets an answer of its own, and none fails for
        another one's sake."""
        return self._once(request, "bulk-push", OrderStatus.APPROVED)

    @extend_schema(operation_id="draft_orders_retry_push_many")
    @action(detail=False, methods=["post"], url_path="retry-push")
    def retry_push(self, request: Request) -> Response:
        """Tries orders in ERROR once more, each with a new export and an answer of its own."""
        return self._once(request, "bulk-retry-push", OrderStatus.ERROR)

    def _once(self, request: Request, call: str, source: OrderStatus) -> Response:
        organization = require_organization(request.user)
        return once(request, organization, call, partial(_answer, request, organization, source))


def _answer(request: Request, organization: Organization, source: OrderStatus) -> Response:
    asked = entered(request, BulkPushSerializer).validated_data
    named = named_connection(organization.pk, asked.get("connection"))
    bulk = BulkPush(
        organization=organization,
        actor=request.user.get_username(),
        source=source,
        connection=named or push_service.default_connection(organization),
    )
    ids, has_more = (asked["ids"], False) if "ids" in asked else _found(request, organization, asked["filter"], source)
    results = [_result(outcome) for outcome in bulk_push.push_each(bulk, ids)]
    accepted = sum(result["problem"] is None for result in results)
    counts = {"accepted": accepted, "refused": len(results) - accepted, "has_more": has_more}
    return Response(BulkAnswerSerializer({**counts, "results": results}).data)


def _found(
    request: Request, organization: Organization, asked: dict[str, Any], source: OrderStatus
) -> tuple[list[UUID], bool]:
    rows = DraftOrder.objects.filter(organization=organization)
    filters = DraftOrderFilter(data=asked, queryset=rows, request=request)
    if not filters.is_valid():
        raise ValidationError({"filter": translate_validation(filters.errors).detail})
    return bulk_push.oldest(filters.qs, source)


def _result(outcome: Outcome) -> dict[str, Any]:
    problem = (as_problem(outcome.refusal) or internal_error()) if outcome.refusal else None
    return {
        "order_id": outcome.order_id,
        "status": outcome.status,
        "export_id": outcome.export_id,
        "problem": problem,
    }
