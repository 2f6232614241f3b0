"""Every error of the API as RFC 9457 problem+json."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import singledispatch
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, JsonResponse, UnreadablePostError
from rest_framework.exceptions import APIException, ErrorDetail, NotAcceptable, ValidationError
from rest_framework.exceptions import PermissionDenied as Forbidden

from orderflow.api.errors.problem_codes import CODES
from orderflow.api.errors.request_id import current_request_id

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """`pointer` is a JSON pointer into the request's body; of a query parameter it is `/<name>`."""

    pointer: str
    message: str


class Problem(APIException):
    """`code` is stable: programs decide by it, people read `detail`. It has to be declared, and its status with it."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = CODES[code].status
        self.code = code
        self.text = detail
        self.errors = errors
        self.headers = headers or {}


def invalid(errors: Sequence[FieldError]) -> Problem:
    detail = errors[0].message if len(errors) == 1 else f"{len(errors)} values are wrong; see errors."
    return Problem("invalid", detail, errors=errors)


@singledispatch
def as_problem(error: Exception) -> Problem | None:  # noqa: ARG001 - the fallback of the types below
    """What an error of the product is in the API's words. Each app's API registers its own; None: a bug."""
    return None


@as_problem.register
def _(error: Problem) -> Problem:
    return error


@as_problem.register
def _(error: Http404) -> Problem:  # noqa: ARG001 - says which errors it is for
    return not_found()


@as_problem.register
def _(error: SuspiciousOperation) -> Problem:  # noqa: ARG001
    return unreadable()


@as_problem.register
def _(error: RequestDataTooBig) -> Problem:  # noqa: ARG001
    text = f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes. Send less at once."
    return Problem("too_large", text)


@as_problem.register
def _(error: UnreadablePostError) -> Problem:  # noqa: ARG001
    return Problem("broken_off", "The body broke off on its way. Send it again.")


@as_problem.register
def _(error: PermissionDenied) -> Problem:
    return _from_drf(Forbidden(*error.args))


@as_problem.register
def _(error: NotAcceptable) -> Problem:
    available = " or ".join(dict.fromkeys(renderer.media_type for renderer in error.available_renderers or ()))
    return Problem("not_acceptable", f"Only {available} is available, and the Accept header excludes it.")


@as_problem.register
def _(error: ValidationError) -> Problem:
    return invalid(list(field_errors(error.detail)))


@as_problem.register
def _from_drf(error: APIException) -> Problem:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else str(error.default_code)
    return Problem(code, str(error.detail), headers=headers)


def field_errors(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """The leaves of what serializers and filters complain about."""
    if isinstance(detail, ErrorDetail):
        yield FieldError(pointer=pointer, message=str(detail))
    elif isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from field_errors(inner, pointer if name == "non_field_errors" else field_pointer(pointer, name))
    else:
        for index, inner in enumerate(detail):
            yield from field_errors(inner, pointer if isinstance(inner, ErrorDetail) else f"{pointer}/{index}")


def field_pointer(pointer: str, name: Any) -> str:
    """Of the field `name` below `pointer`, by RFC 6901."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def problem_response(error: Exception, context: Mapping[str, Any]) -> JsonResponse:
    """What the REST framework asks for each exception of a view."""
    problem = as_problem(error)
    if problem is None:
        # What Django does for a view that fails: it is logged with its traceback, and nobody outside sees that.
        got_request_exception.send(sender=None, request=getattr(context["request"], "_request", context["request"]))
        problem = internal_error()
    return rendered(problem)


def not_found() -> Problem:
    text = "There is nothing at this address, or it is not yours to see."
    return Problem("not_found", text)


def unreadable() -> Problem:
    text = "The request is not one that OrderFlow can read. Check its address, headers and size."
    return Problem("bad_request", text)


def internal_error() -> Problem:
    text = "OrderFlow failed at this. It is logged under the request id; tell it to your administrator."
    return Problem("internal_error", text)


def problem_body(problem: Problem) -> dict[str, Any]:
    status = HTTPStatus(problem.status_code)
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": problem.code,
        "detail": problem.text,
        "errors": [asdict(error) for error in problem.errors],
        "request_id": current_request_id(),
    }


def rendered(problem: Problem) -> JsonResponse:
    return JsonResponse(
        problem_body(problem), status=problem.status_code, content_type=CONTENT_TYPE, headers=problem.headers
    )
