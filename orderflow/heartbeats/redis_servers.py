"""Whether the Redis servers that the settings name can be used: read by `/readyz` and by `manage.py check`."""

import ssl
from collections.abc import Iterator
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from orderflow.environment.redis_url import RedisServer
from orderflow.heartbeats.standstill import Standstill

WITHIN_S = 2


def found() -> list[Standstill]:
    """One entry for each server that cannot be used."""
    return [problem for server in settings.REDIS_SERVERS if (problem := _problem(server))]


@register()
def certificates(**_kwargs: Any) -> list[CheckMessage]:
    """A server that is down is no reason to keep anything from starting. One that may be another server is."""
    return list(_untrusted())


def _untrusted() -> Iterator[CheckMessage]:
    for server in settings.REDIS_SERVERS:
        error = _error(server) if server.tls else None
        if error and (reason := _distrust(error)):
            problem = _untrusted_problem(server, reason)
            yield Error(problem.reason, hint=f"{problem.next_step}.", id="orderflow.E001")


def _error(server: RedisServer) -> RedisError | None:
    limits = {"socket_connect_timeout": WITHIN_S, "socket_timeout": WITHIN_S, "retry": Retry(NoBackoff(), 0)}
    with redis.Redis.from_url(server.url, **server.tls, **limits) as client:
        try:
            client.ping()
        except RedisError as error:
            return error
    return None


def _problem(server: RedisServer) -> Standstill | None:
    error = _error(server)
    if error is None:
        return None
    if reason := _distrust(error):
        return _untrusted_problem(server, reason)
    if isinstance(error, AuthenticationError):
        return _standstill(f"Redis rejects the login of {server.setting}.", f"Correct the password in {server.setting}")
    return _standstill("Redis does not respond.", f"Check {server.setting} and that Redis runs")


def _untrusted_problem(server: RedisServer, reason: str) -> Standstill:
    return _standstill(
        f"The certificate of the Redis server in {server.setting} is not trusted: {reason}.",
        "Set REDIS_CA_FILE to the certificate of the authority that signed it, and use the name that it was issued for",
    )


def _distrust(error: BaseException | None) -> str:
    """Why a certificate was not accepted. Empty for any other error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            # What follows the comma is the server's address, which is nobody's business.
            return error.verify_message.partition(",")[0].rstrip(".")
        error = error.__cause__ or error.__context__
    return ""


def _standstill(reason: str, next_step: str) -> Standstill:
    return Standstill(component="redis", reason=reason, next_step=next_step, since=None)
