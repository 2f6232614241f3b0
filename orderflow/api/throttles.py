"""Where a caller can do harm by asking often. The rates are in the settings."""

import logging

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from orderflow.tenancy.scope import membership_of

logger = logging.getLogger(__name__)


class OrganizationThrottle(SimpleRateThrottle):
    """All calls of one organization, counted by one number for each window of the clock: of thousands of moments, each
    call would read and write the whole list. At the change of windows twice the rate may pass."""

    num_requests: int
    duration: int
    ends_in_s: float | None = None

    def __init__(self, scope: str) -> None:
        self.scope = f"{scope}-organization"
        super().__init__()

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        membership = membership_of(request.user)
        if self.rate is None or membership is None:
            return True
        now = self.timer()
        window = now // self.duration
        if self._count(f"throttle-{self.scope}-{membership.organization_id}-{window:.0f}") <= self.num_requests:
            return True
        self.ends_in_s = (window + 1) * self.duration - now
        return False

    def wait(self) -> float | None:
        """None when it did not refuse."""
        return self.ends_in_s

    def _count(self, key: str) -> int:
        try:
            return self.cache.incr(key)
        except ValueError:
            # The first of the window, unless another one is first right now. Redis would count a number that goes in
            # this very moment on without an end, so it stays for longer than its window.
            return 1 if self.cache.add(key, 1, 2 * self.duration) else self._count(key)


class TokenThrottle(SimpleRateThrottle):
    """How often one token may, and how often all of its organization together.

    What is refused counts for neither: a token that is over its rate takes nothing from the others, and none is held to
    calls that were refused for its organization's sake.
    """

    scope: str
    duration: int

    def __init__(self) -> None:
        super().__init__()
        self.organization = OrganizationThrottle(self.scope)

    def allow_request(self, request: Request, view: APIView) -> bool:
        self.call = (request, view)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: APIView) -> str:  # noqa: ARG002
        return f"throttle-{self.scope}-token-{request.auth.pk}"

    def throttle_success(self) -> bool:
        """The token has room, and is not counted yet."""
        return self.organization.allow_request(*self.call) and super().throttle_success()

    def wait(self) -> float | None:
        # By the framework None, after the rate was lowered.
        return self.organization.wait() or super().wait() or self.duration


class PushThrottle(TokenThrottle):
    """Counts as long as there is something to count with: an order does not wait for a broker that is down."""

    scope = "push"

    def allow_request(self, request: Request, view: APIView) -> bool:
        """An order needs the database alone; log-ins and tests of connections are not let through uncounted."""
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            logger.warning("Pushes are not counted while Redis is away: %s", error)
            return True


class ConnectionTestThrottle(TokenThrottle):
    scope = "connection-test"
