"""What a body may be, and what the errors about it say."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from exports.models import ERPExport
from orderflow.orders.models import DraftOrder
from tests.orderflow.api.conftest import Tenant
from tests.support.api.problems import ORDERS, posted, problem
from tests.support.api.writes import WRITES
from tests.support.cases import each_case

OPTIONAL = ("push", "retry", "test")
# Words of Python, Django and the REST framework.
INTERNAL = ("codec", "utf-8-sig", "set_int_max_str_digits", "dictionary", "dict", "NoneType", "data provided")
Send = Callable[..., Any]


@pytest.fixture
def send(api: APIClient, ours: Tenant, unlimited: None) -> Send:
    DraftOrder.objects.filter(pk=ours.order.pk).update(status="APPROVED")

    def send(name: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        write = WRITES[name]
        path = write.path.format(order=ours.order.pk, connection=ours.connection.pk)
        return api.generic(write.method, f"/api/v1/{path}", body, content_type, headers=headers)  # type: ignore[arg-type]  # bytes go too

    return send


@each_case("name", WRITES)
@each_case("content_type", ["application/json", "text/plain", ""])
def test_without_a_body_only_those_calls_run_that_need_none(name: str, content_type: str, send: Send) -> None:
    response = send(name, b"", content_type)
    if name in OPTIONAL:
        assert response.status_code in (200, 202, 409)
        return
    body = problem(response, 422, "body_required")
    assert body["errors"] == [{"pointer": "", "message": body["detail"]}]


@each_case("name", WRITES)
@each_case(
    ("sent", "said"),
    [(b"null", "The body is null."), (b"[]", "not a list"), (b'""', "not a text"), (b"0", "not a number"),
     (b"1.5", "not a number"), (b"true", "not true or false")],
)  # fmt: skip
def test_what_is_no_object_is_named(name: str, sent: bytes, said: str, send: Send) -> None:
    body = problem(send(name, sent), 422, "invalid")
    assert said in body["detail"]
    assert [error["pointer"] for error in body["errors"]] == [""]


@each_case("sent", [b"{", b" ", b"\xff", b"\xef\xbb\xbf", b"x" * 100])
@each_case("name", WRITES)
def test_what_cannot_be_read_is_never_taken_for_no_body(name: str, sent: bytes, send: Send) -> None:
    problem(send(name, sent), 400, "malformed_json")
    assert ERPExport.objects.count() == 1


def test_an_approval_takes_no_fields(api: APIClient, ours: Tenant) -> None:
    approve = f"{ORDERS}{ours.order.pk}/approve/"
    for sent, status, code in (
        (b'{"comment": "x"}', 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"{", 400, "malformed_json"),
        (b"x" * 3_000_000, 413, "too_large"),
    ):
        problem(api.generic("POST", approve, sent, "application/json"), status, code)  # type: ignore[arg-type]
    ours.order.refresh_from_db()
    assert ours.order.status == "READY"
    assert api.generic("POST", approve, b"{}", "application/json").status_code == 200  # type: ignore[arg-type]


def test_an_inner_value_that_is_no_object_is_named_in_words(send: Send) -> None:
    for value, said in ((b"[]", "a list"), (b'"x"', "a text"), (b"5", "a number"), (b"true", "true or false")):
        (error,) = problem(send("create", b'{"customer": ' + value + b"}"), 422, "invalid")["errors"]
        assert error == {"pointer": "/customer", "message": f"An object {{ … }} is expected here, not {said}."}


@each_case("name", ["create", "edit", "push", "test", "connect"])
def test_a_byte_order_mark_is_taken(name: str, send: Send) -> None:
    assert send(name, b"\xef\xbb\xbf" + json.dumps(WRITES[name].body).encode()).status_code < 300


@each_case(
    ("sent", "said"),
    [
        ('{"notes": "Ü"}'.encode("utf-16"), "it is encoded in UTF-16. Send it in UTF-8"),
        ('{"notes": "Ü"}'.encode("utf-16-le"), "it is encoded in UTF-16. Send it in UTF-8"),
        ('{"notes": "Ü"}'.encode("utf-32"), "it is encoded in UTF-32. Send it in UTF-8"),
        ('{"notes": "Ü"}'.encode("latin-1"), "byte 12 (0xdc) is not UTF-8"),
        (b"\x1f\x8b\x08\x00", "byte 2 (0x8b) is not UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number has 5000 digits"),
        (b"{", "line 1 column 2"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "more than one byte order mark"),
    ],
)
def test_the_error_says_what_was_sent_in_plain_words(sent: bytes, said: str, api: APIClient) -> None:
    detail = problem(posted(api, sent), 400, "malformed_json")["detail"]
    assert said in detail
    assert not [word for word in INTERNAL if word in detail]


@each_case(
    "content_type",
    ["application/json", "text/json", "Application/JSON", "application/json; charset=utf-8",
     'application/json;charset="UTF-8"', "application/json; charset=us-ascii", "text/json; charset=utf8"],
)  # fmt: skip
def test_the_names_of_json_are_taken(content_type: str, send: Send) -> None:
    for name in ("create", "edit"):
        assert send(name, json.dumps(WRITES[name].body).encode(), content_type).status_code < 300


def test_a_merge_patch_is_a_patch_and_nothing_else(send: Send, ours: Tenant) -> None:
    merge = "application/merge-patch+json"
    for name, changes in (("edit", {"notes": None, "currency": "CHF"}), ("change", {"config": {"ack_path": None}})):
        assert send(name, json.dumps(changes).encode(), merge).status_code == 200
    ours.order.refresh_from_db()
    assert (ours.order.notes, ours.order.currency) == ("", "CHF")
    for name in ("create", "push", "push many", "connect", "test"):
        response = send(name, b"{}", merge)
        assert problem(response, 415, "unsupported_media_type")["detail"].endswith("Send application/json.")


@each_case(
    ("content_type", "said"),
    [
        ("text/plain", "The body is text/plain."),
        ("application/xml", "The body is application/xml."),
        ("application/x-www-form-urlencoded", "The body is application/x-www-form-urlencoded."),
        ("application/json-patch+json", "The body is application/json-patch+json."),
        ("application/json; charset=iso-8859-1", "The body's charset is iso-8859-1, and only UTF-8"),
        ("application/json; charset=utf-16", "The body's charset is utf-16, and only UTF-8"),
        ("*/*", "The body is */*."),
        ("", "The body has no Content-Type."),
        ("x" * 300, "The Content-Type is too long."),
    ],
)
@each_case("name", WRITES)
def test_another_type_is_refused_and_the_right_ones_named(name: str, content_type: str, said: str, send: Send) -> None:
    response = send(name, json.dumps(WRITES[name].body).encode(), content_type)
    detail = problem(response, 415, "unsupported_media_type")["detail"]
    assert detail.startswith(said)
    assert detail.endswith("Send application/json.")
    patch = ", application/merge-patch+json" if WRITES[name].method == "PATCH" else ""
    assert response["Accept"] == f"application/json, text/json{patch}"


def test_a_type_that_nobody_accepts_is_named(api: APIClient) -> None:
    body = problem(api.get(ORDERS, headers={"accept": "text/html"}), 406, "not_acceptable")
    assert body["detail"] == "Only application/json is available, and the Accept header excludes it."


def test_a_format_is_a_parameter_as_unknown_as_any_other(api: APIClient, ours: Tenant) -> None:
    for format_ in ("json", "xml"):
        errors = problem(api.get(ORDERS, {"format": format_}), 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == ["/format"]
    assert api.get("/api/v1/schema/", {"format": "json"}).json()["openapi"] == "3.1.0"


@each_case("key", ["a,b", "k-1, k-1", "k-1,", ","])
def test_an_idempotency_key_that_is_given_twice_is_refused(key: str, send: Send) -> None:
    """Servers join the two with a comma."""
    for name in ("create", "push", "retry", "push many", "retry many"):
        sent = send(name, json.dumps(WRITES[name].body).encode(), **{"Idempotency-Key": key})
        problem(sent, 400, "bad_idempotency_key")
