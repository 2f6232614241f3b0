"""What the OpenAPI document says beyond what the views say."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import build_bearer_security_scheme_object

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


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular has no types
    target_class = "orderflow.api.authentication.BearerTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
        definition: dict[str, Any] = build_bearer_security_scheme_object("Authorization", "Bearer")
        return definition


def problems_everywhere(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every call may answer with a problem."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    result["components"]["responses"] = {
        "Problem": {
            "description": "A problem",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    return result
