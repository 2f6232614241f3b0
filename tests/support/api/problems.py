"""Calls of the API and the problems that they return."""

from typing import Any

ORDERS = "/api/v1/draft-orders/"


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body.keys() == {"type", "title", "status", "code", "detail", "errors", "request_id"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert b"Traceback" not in response.content
    return body


def posted(api: Any, body: bytes, content_type: str = "application/json") -> Any:
    return api.generic("POST", ORDERS, body, content_type)
