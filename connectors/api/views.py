from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet, ViewSet

from connectors.api import examples
from connectors.api.connector_types import CONNECTOR_TYPE, connector_types
from connectors.api.filters import ERPConnectionFilter
from connectors.api.serializers import (
    ConnectionChangesSerializer,
    ERPConnectionDetailSerializer,
    ERPConnectionSerializer,
    NewConnectionSerializer,
    TestResultSerializer,
    UnsavedConfigSerializer,
)
from connectors.connections import service as connection_service
from connectors.models import ERPConnection
from orderflow.api.etags import ETAG, IF_MATCH, etag_of, require_match
from orderflow.api.if_match import held_as_seen
from orderflow.api.lists.pagination import NEWEST_FIRST
from orderflow.api.organization import require_organization
from orderflow.api.request_bodies import entered
from orderflow.api.throttles import ConnectionTestThrottle
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, scoped


@extend_schema_view(
    list=extend_schema(description="The organization's connections, without their secrets."),
)
@extend_schema(tags=["ERP connections"])
class ERPConnectionViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[ERPConnection]):
    queryset = ERPConnection.objects.all()
    serializer_class = ERPConnectionSerializer
    filterset_class = ERPConnectionFilter
    orderings = (*NEWEST_FIRST, "name", "-name")
    lookup_value_converter = "any_case_uuid"
    needs = {
        "list": Action.READ,
        "retrieve": Action.READ,
        "create": Action.EDIT_CONNECTIONS,
        "partial_update": Action.EDIT_CONNECTIONS,
        "test": Action.TEST_CONNECTIONS,
    }
    problems = {
        "create": ["body_required", "no_organization", "connector_unusable"],
        "retrieve": ["changed_meanwhile"],
        "partial_update": ["acks_awaited", "body_required", "changed_meanwhile", "connector_unusable"],
    }

    def get_queryset(self) -> QuerySet[ERPConnection]:
        return scoped(super().get_queryset(), self.request.user)

    def get_serializer_class(self) -> type[ERPConnectionSerializer]:
        return ERPConnectionDetailSerializer if self.action == "retrieve" else ERPConnectionSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        return [ConnectionTestThrottle()] if self.action == "test" else []

    @extend_schema(responses={200: ERPConnectionDetailSerializer}, parameters=[ETAG, IF_MATCH])
    def retrieve(self, request: Request, **_: Any) -> Response:
        """One connection, without its secrets, and what happened to it. The ETag is for If-Match, on the edit."""
        connection = self.get_object()
        etag = etag_of(ERPConnectionSerializer(connection).data)
        require_match(request, etag)
        return Response(self.get_serializer(connection).data, headers={"ETag": etag})

    @extend_schema(request=NewConnectionSerializer, responses={201: ERPConnectionSerializer}, parameters=[ETAG])
    def create(self, request: Request) -> Response:
        """Sets a connection up. The config is checked, and not yet tried: test it next."""
        organization = require_organization(request.user)
        new = entered(request, NewConnectionSerializer)
        connection = ERPConnection(organization=organization, connector_type=new.validated_data["connector_type"])
        connection_service.save(connection, new.changes(), actor=request.user.get_username())
        location = reverse("erp-connection-detail", [connection.pk], request=request)
        return self._shown(connection, status=HTTPStatus.CREATED, headers={"Location": location})

    @extend_schema(request=ConnectionChangesSerializer, responses=ERPConnectionSerializer, parameters=[ETAG, IF_MATCH])
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Changes what the body names. An edit releases a connection that is blocked or paused."""
        connection = self.get_object()
        edit = entered(request, ConnectionChangesSerializer)
        with held_as_seen(request, connection, ERPConnection.objects.all(), _shown):
            connection = connection_service.save(connection, edit.changes(), actor=request.user.get_username())
        return self._shown(connection)

    def _shown(
        self,
        connection: ERPConnection,
        *,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        data = _shown(connection)
        return Response(data, status=status, headers={"ETag": etag_of(data), **(headers or {})})

    @extend_schema(request=UnsavedConfigSerializer, responses=TestResultSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, **_: Any) -> Response:
        """Tries the connection step by step. A failed test is an answer too: 200, with `success` false. A `config` may
        be named only by who may edit the connection."""
        connection = self.get_object()
        unsaved = entered(request, UnsavedConfigSerializer, optional=True).validated_data.get("config")
        if unsaved and not may(request.user, Action.EDIT_CONNECTIONS):
            raise PermissionDenied("Your role may not edit connections. Leave config out to test what is stored.")
        result = connection_service.test(connection, actor=request.user.get_username(), unsaved=unsaved)
        return Response(TestResultSerializer(result).data)


def _shown(connection: ERPConnection) -> Any:
    return ERPConnectionSerializer(connection).data


@extend_schema(tags=["ERP connections"])
class ConnectorTypeViewSet(ViewSet):
    needs = {"list": Action.READ}

    @extend_schema(responses=CONNECTOR_TYPE, examples=examples.TYPES)
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Each type of connection and the fields of its config."""
        return Response([asdict(connector_type) for connector_type in connector_types()])
