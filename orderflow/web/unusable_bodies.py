from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from orderflow.api.errors.pages import is_for_api
from orderflow.api.errors.problem_codes import CODES
from orderflow.api.errors.problems import Problem, rendered
from orderflow.web.request_body import FAULT, BodyFault


class RejectUnusableBodies:
    """Answers a request whose body is incomplete or cannot be decoded, before any view acts on what is left of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        fault: BodyFault | None = request.META.get(FAULT)
        if fault is None:
            return self.get_response(request)
        if is_for_api(request):
            return rendered(Problem(fault.code, fault.text, headers=fault.headers))
        return HttpResponse(
            fault.text, status=CODES[fault.code].status, content_type="text/plain", headers=fault.headers
        )
