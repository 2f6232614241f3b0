"""Whatever JSON comes in, the answer is the product's: never a 500."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.conftest import ApiAs
from tests.orderflow.api.conftest import Tenant

NAMES = (
    "external_order_number customer id erp_customer_number name order_date currency requested_delivery_date notes "
    "lines line_no internal_sku qty uom unit_price description source_document sha256 connection connector_type config "
    "mode host port password private_key host_key export_path temp_name timeout_s status is_default username"
).split()
TEXTS = [
    "DROPZONE_JSON_V1",
    "sftp",
    "filesystem",
    "EUR",
    "ST",
    "2026-02-30",
    "in",
    "{name}.tmp",
    "\x00",
    "\ud800",
    "١٢",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TEXTS)
names = st.sampled_from(NAMES) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=25,
)


@pytest.fixture
def admin(api_as: ApiAs, ours: Tenant, unlimited: None) -> APIClient:
    return api_as()


@pytest.mark.parametrize("call", ["draft-orders", "edit", "push", "erp-connections", "change", "test", "token"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(names, values, max_size=8) | values)
def test_any_json_gets_a_clear_answer(call: str, body: Any, admin: Any, ours: Tenant) -> None:
    order, connection = f"draft-orders/{ours.order.pk}/", f"erp-connections/{ours.connection.pk}/"
    method, path = {
        "edit": ("PATCH", order),
        "push": ("POST", f"{order}push/"),
        "change": ("PATCH", connection),
        "test": ("POST", f"{connection}test/"),
    }.get(call, ("POST", f"{call}/"))
    response = admin.generic(method, f"/api/v1/{path}", json.dumps(body).encode(), "application/json")
    assert response.status_code < 500, response.content
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"]
