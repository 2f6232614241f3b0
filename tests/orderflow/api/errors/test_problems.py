"""Whatever goes wrong, the answer is problem+json."""

from typing import Any

import pytest
import structlog
from django.test import Client
from rest_framework.test import APIClient

from orderflow.orders.models import DraftOrder
from tests.conftest import ApiAs
from tests.orderflow.api.conftest import Tenant
from tests.support.api.problems import ORDERS, posted, problem


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/v1/", "/api/v2/draft-orders/", "/api/v1/draft-orders", "/api/v1/draft-orders/17/", "/api/v1/a\0b/"],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_address_is_a_problem(method: str, path: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    client = APIClient(enforce_csrf_checks=True)
    problem(getattr(client, method)(path), 404, "not_found")


def test_a_row_that_is_not_there_is_a_problem(api: APIClient) -> None:
    problem(api.get(f"{ORDERS}00000000-0000-4000-8000-000000000000/"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("delete", ORDERS), ("put", ORDERS), ("post", "/api/v1/exports/"), ("post", "/api/v1/connector-types/")],
)
def test_a_method_that_is_not_served_is_a_problem(method: str, path: str, api: APIClient) -> None:
    problem(getattr(api, method)(path), 405, "method_not_allowed")


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", "multipart/form-data; boundary=x"])
def test_a_body_that_is_not_json_is_a_problem(content_type: str, api: APIClient) -> None:
    problem(posted(api, b"<order/>", content_type), 415, "unsupported_media_type")


def test_an_answer_in_another_format_is_not_to_be_had(api: APIClient) -> None:
    problem(api.get(ORDERS, headers={"accept": "text/html"}), 406, "not_acceptable")


def test_a_body_that_is_too_large_is_a_problem(api: APIClient, settings: Any) -> None:
    """S15."""
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = b'{"notes": "' + b"x" * 1000 + b'"}'
    problem(posted(api, body), 413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe{}",
        "{}".encode("utf-16"),
        b'{"notes": "\xe4"}',
        b'{"lines": [{"qty": NaN}]}',
        b'{"lines": [{"qty": Infinity}]}',
        b'{"lines": [{"qty": -Infinity}]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 5_000,
        b"{'notes': 1}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_malformed_json_is_a_problem(body: bytes, api: APIClient) -> None:
    response = posted(api, body or b" ")
    problem(response, 400, "malformed_json")
    assert not DraftOrder.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"notes": "a\\u0000b"}', "/notes"),
        (b'{"notes": "a\\ud800b"}', "/notes"),
        (b'{"lines": [{"qty": 1}, {"uom": "\\udc00"}]}', "/lines/1/uom"),
        (b'{"a/b~c": "\\u0000"}', "/a~1b~0c"),
        (b'{"\\ud800": 1}', ""),
        (b'"\\u0000"', ""),
    ],
)
def test_text_that_cannot_be_stored_is_named(body: bytes, pointer: str, api: APIClient) -> None:
    response = posted(api, body)
    assert [error["pointer"] for error in problem(response, 422, "invalid")["errors"]] == [pointer]


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"', b"null", b"true"])
def test_a_body_that_is_no_object_is_a_problem(body: bytes, api: APIClient) -> None:
    problem(posted(api, body), 422, "invalid")


@pytest.mark.parametrize(
    "query",
    [
        "status=WHAT",
        "customer=17",
        "customer=%00",
        "external_order_number=a%00b",
        "erp_customer_number=%00",
    ],
)
def test_a_wrong_filter_is_named(query: str, api: APIClient) -> None:
    body = problem(api.get(f"{ORDERS}?{query}"), 422, "invalid")
    assert body["errors"][0]["pointer"] == "/" + query.partition("=")[0]


@pytest.mark.parametrize("cursor", ["x", "cD1ub3R0aW1l", "cD0AAAA=", "bz0tMQ=="])
def test_a_made_up_cursor_is_a_problem(cursor: str, api: APIClient) -> None:
    problem(api.get(f"{ORDERS}?cursor={cursor}"), 422, "invalid")


@pytest.mark.parametrize("token", ["x", "of_" + "0" * 64, "\u00e4", "\xff\xfe", "a b", "", "a\0b", "'; DROP"])
def test_a_wrong_token_is_a_problem(token: str, db: None) -> None:
    response = APIClient().get(ORDERS, headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_is_a_problem_without_a_traceback(
    debug: bool, api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = debug

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("orderflow.orders.editing.create", broken)
    response = api.post(ORDERS, {})
    body = problem(response, 500, "internal_error")
    assert b"hunter2" not in response.content
    assert body["request_id"] == response["X-Request-ID"]


def test_a_bug_is_logged_with_its_traceback_under_the_request_id(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the cause")

    monkeypatch.setattr("orderflow.orders.editing.create", broken)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        response = api.post(ORDERS, {})
    failed = [line for line in logs if line["event"] == "request_failed"]
    assert [line["request_id"] for line in failed] == [response["X-Request-ID"]]
    assert failed[0]["exc_info"]


def test_a_host_that_is_not_ours_is_a_problem(db: None) -> None:
    problem(APIClient().get(ORDERS, headers={"host": "evil.example"}), 400, "bad_request")


def test_outside_the_api_errors_are_pages(db: None) -> None:
    response = Client().get("/nowhere/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_every_answer_carries_a_request_id_of_its_own(api: APIClient) -> None:
    ids = [api.get(ORDERS, headers={"x-request-id": "forged\x1b[31m"})["X-Request-ID"] for _ in range(2)]
    assert len({*ids, "forged\x1b[31m"}) == 3


def test_a_problem_names_the_request(api_as: ApiAs, ours: Tenant) -> None:
    response = api_as(None).get(ORDERS)
    assert problem(response, 403, "permission_denied")["request_id"] == response["X-Request-ID"]
