"""Where a caller can do harm by asking often. The rates are in the settings."""

import hashlib
import logging

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle
from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class LoginAddressThrottle(AnonRateThrottle):
    scope = "login"


class LoginNameThrottle(SimpleRateThrottle):
    """Guesses at one account, from however many addresses."""

    scope = "login"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:  # noqa: ARG002
        name = str(request.data.get("username", "")) if isinstance(request.data, dict) else ""
        return f"throttle-login-name-{hashlib.sha256(name.encode()).hexdigest()}"


class PushThrottle(UserRateThrottle):
    """Counts as long as there is something to count with: an order does not wait for a broker that is down."""

    scope = "push"

    def allow_request(self, request: Request, view: APIView) -> bool:
        """An order needs the database alone; log-ins and tests of connections are not let through uncounted."""
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            logger.warning("Pushes are not counted while Redis is away: %s", error)
            return True


class ConnectionTestThrottle(UserRateThrottle):
    scope = "connection-test"
