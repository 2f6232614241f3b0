"""For monitoring and load balancers: does the process run, can it serve requests, does the whole installation work?

A probe comes to the process's own address, without TLS and every few seconds. So it is served before any middleware:
its Host header is not checked, it is not redirected to https, and it writes nothing to the log.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from exports.incidents import standby
from exports.models import installation
from orderflow.heartbeats import redis_servers, standstill
from orderflow.heartbeats.standstill import Standstill

logger = logging.getLogger(__name__)


class Probes:
    """The first middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = _PROBES.get(request.path_info)
        if probe is None:
            return self._get_response(request)
        response = probe(request)
        response["Cache-Control"] = "no-store"
        # Django would log every 503 as an error of its own.
        response._has_been_logged = True  # type: ignore[attr-defined] # noqa: SLF001
        return response


def livez(_request: HttpRequest) -> JsonResponse:
    """The web process alone."""
    return JsonResponse({"status": "ok"})


def web_readyz(_request: HttpRequest) -> JsonResponse:
    """The web process and its database: whether a load balancer may send requests here."""
    return _response(_database_down())


def readyz(_request: HttpRequest) -> JsonResponse:
    """The database, Redis, beat, the workers and every periodic task. Opens incidents for what stands still: nobody
    else might be left to do so."""
    down = _database_down()
    problems = down or [*redis_servers.found(), *_standstills()]
    if problems and not down:
        _report()
    return _response(problems)


def _report() -> None:
    """Never in the way of the response."""
    try:
        standby.report()
    except DatabaseError as error:
        logger.warning("Standstills cannot be reported: %s", error)


_PROBES = {"/livez": livez, "/readyz": readyz, "/readyz/web": web_readyz}


def _response(problems: list[Standstill]) -> JsonResponse:
    if not problems:
        return JsonResponse({"status": "ok"})
    listed = [
        {"component": each.component, "reason": each.reason, "next_step": each.next_step, "since": each.since}
        for each in problems
    ]
    body = {"status": problems[0].reason, "problems": listed}
    return JsonResponse(body, status=HTTPStatus.SERVICE_UNAVAILABLE)


def _database_down() -> list[Standstill]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return _database("The database does not answer.", "Check DATABASE_URL and that the database runs")
    return []


def _standstills() -> list[Standstill]:
    try:
        return [*_held(), *standstill.found()]
    except DatabaseError:
        return _database("The database has no heartbeats.", "Run manage.py migrate")


def _held() -> list[Standstill]:
    held = installation.held()
    if held is None:
        return []
    reason = f"Deliveries and polls are held: {held.held_because}"
    return [Standstill(component="deliveries", reason=reason, next_step="Run manage.py recover", since=held.held_since)]


def _database(reason: str, next_step: str) -> list[Standstill]:
    return [Standstill(component="database", reason=reason, next_step=next_step, since=None)]
