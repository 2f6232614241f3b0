"""problem+json where Django would answer with an HTML page."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from orderflow.api.errors import problems
from orderflow.api.errors.problems import Problem, internal_error, rendered


def is_for_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


@csrf_exempt
def no_such_call(request: HttpRequest) -> HttpResponse:
    """The last route below /api/: with DEBUG on, Django would answer an unknown address with its own page."""
    text = f"The API has no call at {request.path}. Addresses end with a slash; /api/v1/docs/ lists them."
    return rendered(Problem("not_found", text))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return rendered(problems.unreadable())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - as above
    return rendered(Problem("permission_denied", "You may not do this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - as above
    return rendered(problems.not_found())


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - as above
    return rendered(internal_error())
