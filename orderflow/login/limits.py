"""How often a caller may try to log in, in the admin and in the API alike. The rates are in the settings.

Attempts at one account count for each address separately, so that guesses from one address do not lock the owner out at
another. All attempts of one address count together, whatever the accounts.
"""

import hashlib
import logging
import unicodedata
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from orderflow.client_address import client_address

logger = logging.getLogger(__name__)

# What one provider gives to one customer.
IPV6_PREFIX = 64
# While Redis is down, each process counts for itself: people have to be able to log in and see that it is down.
_OF_THIS_PROCESS = LocMemCache("logins", {})


class _LoginThrottle(SimpleRateThrottle):
    """For requests of Django and of the API."""

    duration: int

    def get_ident(self, request: Any) -> str:
        return client_address(request)

    def allow_request(self, request: Any, view: Any) -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            logger.warning("Logins are counted by each process while Redis does not respond: %s", error)
            self.cache = _OF_THIS_PROCESS
            return super().allow_request(request, view)

    def wait(self) -> float:
        # By the framework None, after the rate was lowered.
        return super().wait() or self.duration


class LoginAddressThrottle(_LoginThrottle):
    scope = "login-address"

    def get_cache_key(self, request: Any, view: Any) -> str:  # noqa: ARG002
        return f"throttle-{self.scope}-{_digest(_network(self.get_ident(request)))}"


class LoginNameThrottle(_LoginThrottle):
    scope = "login"

    def get_cache_key(self, request: Any, view: Any) -> str:  # noqa: ARG002
        return f"throttle-{self.scope}-{_digest(_account(request), _network(self.get_ident(request)))}"


LIMITS = (LoginAddressThrottle, LoginNameThrottle)


def refused_for_s(request: HttpRequest) -> float:
    """How long no attempt like this one is accepted from the request's address. 0: this one is, and counts."""
    for limit in LIMITS:
        throttle = limit()
        if not throttle.allow_request(request, None):
            return max(1, throttle.wait())
    return 0


def _one_spelling(name: str) -> str:
    """The same text for all spellings that may mean the same account."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


def _account(request: HttpRequest | Request) -> str:
    sent = request.data if isinstance(request, Request) else request.POST
    return _one_spelling(str(sent.get("username", ""))) if hasattr(sent, "get") else ""


def _network(address: str) -> str:
    """An IPv6 address is cut to its network: a caller may use any address in it."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(int(found) >> (128 - IPV6_PREFIX))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
