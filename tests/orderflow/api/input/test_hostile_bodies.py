"""Bodies that nobody sends who means well: a 4xx that names the place, and nothing of them is saved."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers
from rest_framework.test import APIClient

from connectors.dropzones.form import DropzoneForm
from orderflow.orders.api.serializers import MAX_LINES
from orderflow.orders.models import DraftOrder
from tests.conftest import ApiAs
from tests.orderflow.api.conftest import Tenant
from tests.support.api.problems import problem
from tests.support.api.writes import LINE, WRITES

Path = tuple[str | int, ...]


Send = Callable[[str, bytes], Any]


@pytest.fixture
def api(api_as: ApiAs, monkeypatch: pytest.MonkeyPatch) -> APIClient:
    monkeypatch.setattr("rest_framework.throttling.SimpleRateThrottle.get_rate", lambda _: None)
    return api_as()


@pytest.fixture
def send(api: APIClient, ours: Tenant) -> Send:
    DraftOrder.objects.filter(pk=ours.order.pk).update(status="APPROVED")

    def send(name: str, body: bytes) -> Any:
        write = WRITES[name]
        path = write.path.format(order=ours.order.pk, connection=ours.connection.pk)
        return api.generic(write.method, f"/api/v1/{path}", body, "application/json")  # type: ignore[arg-type]  # bytes go too

    return send


Refused = Callable[[str, bytes, int, str], dict[str, Any]]


@pytest.fixture
def refused(send: Send) -> Iterator[Refused]:
    """Sends a body that is answered with that problem; when all are sent, the database is as it was."""
    before = rows()
    yield lambda name, body, status, code: problem(send(name, body), status, code)
    assert rows() == before


def rows() -> list[str]:
    apps_of_ours = [apps.get_app_config(label) for label in ("orders", "connectors", "exports", "tenancy")]
    models = [model for app in apps_of_ours for model in app.get_models()]
    return [str(list(model._base_manager.order_by("pk").values())) for model in models]


def places(serializer: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, field in serializer.fields.items():
        path = (*above, name)
        yield path, field
        if isinstance(field, serializers.ListSerializer):
            yield (*path, 0), field.child
            yield from places(field.child, (*path, 0))
        elif isinstance(field, serializers.BaseSerializer):
            yield from places(field, path)
        elif isinstance(field, serializers.ListField):
            yield (*path, 0), field.child


NUMBERS = [{}, [], [1], True, "x", "", 10**400, -(10**400), "1e400", "9" * 5000]
WRONG: list[tuple[type[Any], list[Any]]] = [
    (serializers.ListSerializer, [{}, "x", 5, True, [5], [[]]]),
    (serializers.BaseSerializer, [[], [{}], "x", 5, True]),
    (serializers.ListField, [{}, {"0": 1}, "x", 5, True, [{}], [[]]]),
    (serializers.DictField, [[], "x", 5, True]),
    (serializers.UUIDField, [{}, [], True, 5, 10**50, "x", "", "{" * 50]),
    (serializers.BooleanField, [{}, [], "maybe", 5, "", 10**400]),
    (serializers.ChoiceField, [{}, [], True, "x", 5, ""]),
    (serializers.DecimalField, [*NUMBERS, "NaN", "Infinity", 0.12345678]),
    (serializers.IntegerField, [*NUMBERS, 1.5, 0, -1]),
    (serializers.DateTimeField, [{}, [], True, 5, "x", "", "2026-11-25", "9" * 5000]),
    (serializers.DateField, [{}, [], True, 5, "x", "2026-02-30", "9" * 5000]),
    (serializers.CharField, [{}, [], ["x"], {"a": 1}, True]),
]


def wrong_values(field: Any) -> Iterator[Any]:
    yield from next(values for kind, values in WRONG if isinstance(field, kind))
    if not field.allow_null:
        yield None
    if longest := getattr(field, "max_length", None) if isinstance(field, serializers.CharField) else None:
        yield "x" * (longest + 1)
        yield "ß" * 100_000


PLACES = [
    pytest.param(name, path, list(wrong_values(field)), id=f"{name}/{'/'.join(map(str, path))}")
    for name, write in WRITES.items()
    for path, field in places(write.serializer())
]


def with_value(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """`body` with `value` at `path`, and with what has to be around it."""
    changed: Any = {} if path[0] in ("ids", "filter") else deepcopy(body)
    whole = changed
    for name, following in pairwise(path):
        if isinstance(changed, dict) and name not in changed:
            changed[name] = [None] if isinstance(following, int) else {}
        changed = changed[name]
    changed[path[-1]] = value
    return whole  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "path", "values"), PLACES)
def test_a_value_of_the_wrong_type_is_named(name: str, path: Path, values: list[Any], refused: Refused) -> None:
    pointer = "/" + "/".join(map(str, path))
    for value in values:
        body = with_value(WRITES[name].body, path, value)
        errors = refused(name, json.dumps(body).encode(), 422, "invalid")["errors"]
        assert errors, str(value)[:40]
        assert {error["pointer"] for error in errors} <= {pointer, f"{pointer}/0", f"{pointer}/a"}, str(value)[:40]
        assert all(error["message"] for error in errors)
        assert len(json.dumps(errors)) < 5000


# Raw, for no program writes it.
RAW = {
    b"NaN": (400, "malformed_json", None),
    b"Infinity": (400, "malformed_json", None),
    b"-Infinity": (400, "malformed_json", None),
    b"01": (400, "malformed_json", None),
    b"'x'": (400, "malformed_json", None),
    b"9" * 5000: (400, "malformed_json", None),
    b"[" * 40 + b"]" * 40: (400, "malformed_json", None),
    b'{"a":' * 40 + b"1" + b"}" * 40: (400, "malformed_json", None),
    b"[" * 100_000: (400, "malformed_json", None),
    b'"\xff"': (400, "malformed_json", None),
    b'"\xed\xa0\x80"': (400, "malformed_json", None),
    b'"\\u0000"': (422, "invalid", ""),
    b'"\\ud800"': (422, "invalid", ""),
    b'{"\\u0000": 1}': (422, "invalid", ""),
    b'{"a": 1, "b": {"a": 2, "a": 2}}': (422, "invalid", "/b/a"),
    b'[{"a": 1, "\\u0061": 2}]': (422, "invalid", "/0/a"),
}
LEAVES = {
    "create": ["notes", "lines/0/qty", "lines/0/description", "customer/name", "zz"],
    "edit": ["notes", "lines/0/qty", "source_document/sha256"],
    "push": ["connection"],
    "retry": ["connection"],
    "push many": ["ids/0", "filter/customer", "filter/created_after", "connection"],
    "retry many": ["ids", "filter"],
    "connect": ["name", "config/host", "config/password", "config/port", "config/zz"],
    "change": ["is_default", "config/private_key", "config"],
    "test": ["config/host", "config"],
}


@pytest.mark.parametrize(("name", "leaf"), [(name, leaf) for name, leaves in LEAVES.items() for leaf in leaves])
def test_what_is_no_json_or_cannot_be_stored_is_refused_everywhere(name: str, leaf: str, refused: Refused) -> None:
    for raw, (status, code, below) in RAW.items():
        errors = refused(name, raw_at(name, leaf, raw), status, code)["errors"]
        assert [error["pointer"] for error in errors] == ([] if below is None else [f"/{leaf}{below}"]), raw[:40]


def raw_at(name: str, leaf: str, raw: bytes) -> bytes:
    path = tuple(int(part) if part.isdigit() else part for part in leaf.split("/"))
    return json.dumps(with_value(WRITES[name].body, path, "@@")).encode().replace(b'"@@"', raw)


@pytest.mark.parametrize(
    ("name", "leaf"),
    [("create", "lines/0/qty"), ("create", "lines/0/unit_price"), ("create", "lines/0/line_no"),
     ("create", "currency"), ("edit", "lines/0/qty"), ("push", "connection"), ("push many", "ids/0"),
     ("connect", "config/port"), ("connect", "config/timeout_s"), ("change", "config/port")],
)  # fmt: skip
def test_a_number_beyond_all_measure_is_named(name: str, leaf: str, refused: Refused) -> None:
    for number in (b"1e400", b"-1e400", b"1e-400", b"1E+999999"):
        errors = refused(name, raw_at(name, leaf, number), 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == [f"/{leaf}"], number
    refused(name, raw_at(name, leaf, b"0.1e99999999999999999999"), 400, "malformed_json")


@pytest.mark.parametrize("name", WRITES)
def test_a_body_of_ten_megabytes_is_not_read(name: str, refused: Refused) -> None:
    """S15."""
    refused(name, b'{"notes": "' + b"x" * 10_000_000 + b'"}', 413, "too_large")
    refused(name, b"[" * 10_000_000, 413, "too_large")


@pytest.mark.parametrize("name", WRITES)
def test_a_name_that_stands_twice_is_refused(name: str, refused: Refused) -> None:
    """Programs differ in which of the two counts."""
    (member, value), *_ = [*WRITES[name].body.items(), ("connection", None)]
    body = f'{{"{member}": {json.dumps(value)}, "a/b": 1, "{member}": {json.dumps(value)}, "a/b": 2}}'
    errors = refused(name, body.encode(), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == [f"/{member}", "/a~1b"]


def wrong_settings(field: forms.Field) -> Iterator[Any]:
    yield from ({}, {"a": 1}, [], ["x"])
    yield from ("no", "", 1, 10**400) if isinstance(field, forms.BooleanField) else (True, False)
    if isinstance(field, forms.IntegerField):
        yield from ("x", 1.5, 10**400, -1)
    if isinstance(field, forms.ChoiceField):
        yield "x"
    if longest := getattr(field, "max_length", None):
        yield "x" * (longest + 1)


@pytest.mark.parametrize("name", ["connect", "change"])
@pytest.mark.parametrize("field", DropzoneForm.base_fields)
def test_a_config_of_the_wrong_types_is_named(name: str, field: str, refused: Refused) -> None:
    for value in wrong_settings(DropzoneForm.base_fields[field]):
        body = with_value(WRITES[name].body, ("config", field), value)
        errors = refused(name, json.dumps(body).encode(), 422, "invalid")["errors"]
        assert [error["pointer"] for error in errors] == [f"/config/{field}"], str(value)[:40]


@pytest.mark.parametrize("name", ["create", "edit"])
def test_ten_thousand_lines_are_taken_and_one_more_is_not(name: str, send: Send) -> None:
    body = WRITES[name].body | {"lines": [LINE] * (MAX_LINES + 1)}
    errors = problem(send(name, json.dumps(body).encode()), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/lines"]
    assert MAX_LINES == 10_000
    body["lines"].pop()
    with CaptureQueriesContext(database) as caught:
        response = send(name, json.dumps(body).encode())
    assert response.status_code in (200, 201)
    assert len(response.json()["lines"]) == MAX_LINES
    assert len(caught) < 200


def test_of_ten_thousand_lines_the_wrong_one_is_named(refused: Refused) -> None:
    lines: list[dict[str, Any]] = [dict(LINE) for _ in range(MAX_LINES)]
    lines[9_998] |= {"qty": "many"}
    body = WRITES["create"].body | {"lines": lines}
    errors = refused("create", json.dumps(body).encode(), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == ["/lines/9998/qty"]
