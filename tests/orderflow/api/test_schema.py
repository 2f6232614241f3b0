import ast
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from orderflow.api.errors.problem_codes import CODES
from tests.orderflow.api.calls import NEEDS, OWN, address

ROOT = Path(__file__).parents[3]
# The framework's own words, which become a code as they are.
OF_THE_FRAMEWORK = {
    "authentication_failed",
    "method_not_allowed",
    "not_acceptable",
    "not_authenticated",
    "permission_denied",
    "throttled",
    "unsupported_media_type",
}
# An export is given up in the admin alone.
OF_THE_ADMIN = {"not_sent", "not_withdrawable"}


@pytest.fixture
def schema(db: None) -> dict[str, Any]:
    answer: dict[str, Any] = APIClient().get("/api/v1/schema/", headers={"accept": "application/json"}).json()
    return answer


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        yield from ((f"{method} {path}", operation) for method, operation in methods.items())


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is said of each body, by a name for it."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request, {media_type}", content
    for status, response in operation["responses"].items():
        yield from ((f"{status}, {media_type}", content) for media_type, content in response.get("content", {}).items())


def test_the_schema_is_valid_and_complete_without_a_warning(schema: dict[str, Any]) -> None:
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    assert out.getvalue().startswith("openapi: 3.1.0")
    validate_schema(schema)  # type: ignore[no-untyped-call]


def test_the_schema_describes_every_call_and_its_problems(schema: dict[str, Any]) -> None:
    for method, route in NEEDS.keys() | OWN:
        operation = schema["paths"][address(route).replace("None", "{id}")][method]
        assert {"401", "403", "406", "500"} <= operation["responses"].keys()
        assert operation["security"] == [{"token": []}]
        assert operation["description"]


def test_every_body_has_an_example_that_fits_its_schema(schema: dict[str, Any]) -> None:
    seen = 0
    for call, operation in operations(schema):
        for what, content in contents(operation):
            if content["schema"].get("format") == "binary":
                continue
            assert content.get("examples"), f"{call}: {what}"
            rules = Draft202012Validator({**content["schema"], "components": schema["components"]})
            for name, example in content["examples"].items():
                errors = [f"{call}: {what}: {name}: {error.message}" for error in rules.iter_errors(example["value"])]
                assert not errors
                seen += 1
    assert seen > 100


def test_every_problem_that_the_code_raises_is_declared() -> None:
    raised = set(_raised()) - OF_THE_ADMIN
    assert len(raised) > 15
    assert raised <= CODES.keys()
    assert CODES.keys() - raised <= OF_THE_FRAMEWORK


def test_the_documentation_loads_nothing_from_elsewhere(db: None) -> None:
    page = Client().get("/api/v1/docs/")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content
    assert b"http://" not in page.content.replace(b"http://testserver", b"")
    assert b"https://" not in page.content


def _raised() -> Iterator[str]:
    """The texts that may be the first argument of each `Problem(...)`, `PushRefused(...)` and `BodyFault(...)`."""
    for package in ("orderflow", "connectors", "exports"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and _name(node.func) in ("Problem", "PushRefused", "BodyFault")
                    and node.args
                ):
                    yield from _texts(node.args[0])


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _texts(node: ast.expr) -> Iterator[str]:
    yield from (
        leaf.value
        for leaf in ([node.body, node.orelse] if isinstance(node, ast.IfExp) else [node])
        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
    )
