"""Logging in and out."""

from http import HTTPStatus
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in, user_logged_out
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import ViewSet

from orderflow.api.errors.problems import Problem
from orderflow.api.input.serializers import StrictSerializer
from orderflow.api.models import ApiToken
from orderflow.api.request_bodies import entered
from orderflow.api.tokens.service import LOG_IN
from orderflow.login.limits import LIMITS


@extend_schema_serializer(
    examples=[OpenApiExample("Log in", {"username": "ops", "password": "correct horse battery"}, request_only=True)]
)
class CredentialsSerializer(StrictSerializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, style={"input_type": "password"})


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A token",
            {"token": "of_8d0c1f5be2a97d34c6", "expiry": "2027-02-21T10:00:00Z"},
            response_only=True,
        )
    ]
)
class TokenSerializer(serializers.Serializer[Any]):
    """Send it as `Authorization: Bearer <token>`. It is shown once."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField()


@extend_schema(tags=["token"])
class TokenViewSet(ViewSet):
    problems = {"create": ["body_required", "invalid_credentials"]}

    def get_authenticators(self) -> list[BaseAuthentication]:
        # A stale token in the header must not keep anybody from logging in.
        return [] if self._logs_in() else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny() if self._logs_in() else IsAuthenticated()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [limit() for limit in LIMITS] if self._logs_in() else []

    @extend_schema(request=CredentialsSerializer, responses=TokenSerializer, auth=[])
    def create(self, request: Request) -> Response:
        """Logs in with username and password. Scripts take a token that an administrator made for them."""
        user = authenticate(request, **entered(request, CredentialsSerializer).validated_data)
        if user is None:
            raise Problem(
                "invalid_credentials",
                "Username and password do not match, or the account is off. Check both.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        instance, token = ApiToken.objects.create(user, name=LOG_IN)
        user_logged_in.send(sender=type(user), request=request, user=user)
        return Response(TokenSerializer({"token": token, "expiry": instance.expiry}).data)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request) -> Response:
        """Ends the token that the call came with."""
        request.auth.delete()
        user_logged_out.send(sender=type(request.user), request=request, user=request.user)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _logs_in(self) -> bool:
        return self.request is not None and self.request.method == "POST"
