"""What the OpenAPI document says beyond what the views say: every problem that a call may answer with."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from drf_spectacular.utils import OpenApiParameter

from orderflow.api.errors.problem_codes import CODES, WITH_A_BODY
from orderflow.api.errors.problems import CONTENT_TYPE, Problem, problem_body

_TEXT = {"type": "string"}
_FIELD_ERROR = {
    "type": "object",
    "required": ["pointer", "message"],
    "properties": {
        "pointer": {**_TEXT, "description": "A JSON pointer into the body, or `/<name>` of a query parameter."},
        "message": _TEXT,
    },
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `request_id` finds the request in the logs.",
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "code": _TEXT,
        "detail": _TEXT,
        "errors": {"type": "array", "items": _FIELD_ERROR},
        "request_id": {"type": ["string", "null"]},
    },
}
REQUEST_ID = OpenApiParameter(
    "X-Request-ID", str, OpenApiParameter.HEADER, response=True, description="Finds the request in the logs."
)

ALWAYS = ("bad_request", "not_acceptable", "internal_error")
WITH_A_TOKEN = ("not_authenticated", "authentication_failed", "permission_denied")
OF_A_LIST = ("invalid",)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular has no types
    target_class = "orderflow.api.tokens.authentication.BearerTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
        definition: dict[str, Any] = build_bearer_security_scheme_object("Authorization", "Bearer")
        return definition


class CallSchema(AutoSchema):
    """Adds what the framework answers by the nature of a call, and what the view declares: `problems`, codes by the
    name of the view's action."""

    def get_summary(self) -> str:
        """The first sentence of what is said of the call."""
        return self.get_description().partition(". ")[0].rstrip(".").replace("\n", " ")

    def get_override_parameters(self) -> list[Any]:
        return [REQUEST_ID]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        return {**responses, **_problem_responses(self._codes())}

    def _codes(self) -> Iterator[str]:
        yield from ALWAYS
        if self.get_auth():
            yield from WITH_A_TOKEN
        if "{" in self.path:
            yield "not_found"
        if self.method in ("POST", "PATCH") and self.get_request_serializer():
            yield from WITH_A_BODY
        if self._is_list_view() and self._get_paginator():  # type: ignore[no-untyped-call]
            yield from OF_A_LIST
        if self.view.get_throttles():
            yield "throttled"
        yield from getattr(self.view, "problems", {}).get(getattr(self.view, "action", None), ())


def _problem_responses(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CODES[code].status, []).append(code)
    return {str(status): _problem_response(by_status[status]) for status in sorted(by_status)}


def _problem_response(codes: list[str]) -> dict[str, Any]:
    examples = {code: {"summary": CODES[code].meaning, "value": _example(code)} for code in codes}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    headers = {"X-Request-ID": {"schema": _TEXT, "description": REQUEST_ID.description}}
    if "throttled" in codes:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
    return {"description": f"`{'`, `'.join(codes)}`", "headers": headers, "content": {CONTENT_TYPE: content}}


def _example(code: str) -> dict[str, Any]:
    return {**problem_body(Problem(code, CODES[code].example)), "request_id": "0b5f7a2e-6d0c-4b8e-9f43-2a1d7c5e8b90"}


def with_problem_schema(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    result["components"]["schemas"]["Problem"] = PROBLEM
    return result
