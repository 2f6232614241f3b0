"""Whatever is drawn from the OpenAPI document, the answer is one that the document describes."""

from collections.abc import Iterator

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from orderflow.tenancy.roles import Role
from orderflow.wsgi import application
from tests.conftest import ApiAs
from tests.orderflow.api.calls import NEEDS, OWN, PUBLIC, Call, address
from tests.orderflow.api.conftest import Tenant

_GENERATOR = SchemaGenerator()  # type: ignore[no-untyped-call]  # drf-spectacular has no types
DESCRIBED = schemathesis.openapi.from_dict(_GENERATOR.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
DESCRIBED.app = application
CALLS = sorted((NEEDS.keys() | OWN | PUBLIC) - {("get", "schema/"), ("get", "docs/")})
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """A request does not close the one that the test's own rows are in."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("unlimited", "one_connection")
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_one_that_is_described(
    call: Call, role: Role, data: st.DataObject, api_as: ApiAs, ours: Tenant
) -> None:
    method, route = call
    operation = DESCRIBED[address(route).replace("None", "{id}")][method.upper()]
    case = data.draw(operation.as_strategy(data.draw(st.sampled_from(GenerationMode))))
    ours_is_asked_for = data.draw(st.booleans())
    if case.path_parameters and ours_is_asked_for:
        case.path_parameters["id"] = str(ours.id_for(route))
    # One that was logged out with is drawn anew.
    token = api_as(role)._credentials["HTTP_AUTHORIZATION"]  # type: ignore[attr-defined]
    case.call_and_validate(headers={"Authorization": token}, checks=CHECKS)
