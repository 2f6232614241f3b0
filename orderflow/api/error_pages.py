"""Django's own error pages, and problem+json instead of them below /api/."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from orderflow.api import problems
from orderflow.api.problems import Problem, internal_error, rendered


def is_for_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


@csrf_exempt
def no_such_call(request: HttpRequest) -> HttpResponse:
    """The last route below /api/: with DEBUG on, Django would answer an unknown address with its own page."""
    text = f"The API has no call at {request.path}. Addresses end with a slash; /api/v1/docs/ lists them."
    return rendered(Problem("not_found", text))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_api(request):
        return defaults.bad_request(request, exception)
    return rendered(problems.unreadable())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_api(request):
        return defaults.page_not_found(request, exception)
    return rendered(problems.not_found())


def server_error(request: HttpRequest) -> HttpResponse:
    return rendered(internal_error()) if is_for_api(request) else defaults.server_error(request)
