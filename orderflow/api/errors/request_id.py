"""The id that a request has in the logs, given to the caller too."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse


def current_request_id() -> str | None:
    request_id: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return request_id


class RequestIdHeader:
    """Sets X-Request-ID. Stands right below django-structlog's middleware, which binds the id and forgets it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request_id := current_request_id():
            response["X-Request-ID"] = request_id
        return response
