"""Where a caller can do harm by asking often. The rates are in the settings."""

import hashlib

from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle
from rest_framework.views import APIView


class LoginAddressThrottle(AnonRateThrottle):
    scope = "login"


class LoginNameThrottle(SimpleRateThrottle):
    """Guesses at one account, from however many addresses."""

    scope = "login"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:  # noqa: ARG002
        name = str(request.data.get("username", "")) if isinstance(request.data, dict) else ""
        return f"throttle-login-name-{hashlib.sha256(name.encode()).hexdigest()}"


class PushThrottle(UserRateThrottle):
    scope = "push"


class ConnectionTestThrottle(UserRateThrottle):
    scope = "connection-test"
