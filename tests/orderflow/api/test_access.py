"""Who may make which call, and on whose rows."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import models
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.roles import ALLOWED, Action, Role
from tests.conftest import ApiAs
from tests.orderflow.api.calls import NEEDS, OWN, PUBLIC, Call, address, is_of_one_row, routed_calls
from tests.orderflow.api.conftest import Tenant
from tests.support.cases import each_case

DETAILS = sorted(call for call in NEEDS if is_of_one_row(call[1]))
LISTS = ["draft-orders/", "exports/", "erp-connections/", "ack-files/"]


def test_every_call_of_the_api_stands_in_the_tables() -> None:
    assert routed_calls() == NEEDS.keys() | PUBLIC | OWN


@each_case("role", Role)
@each_case("call", sorted(NEEDS))
def test_a_role_may_make_the_calls_of_its_row_and_no_other(call: Call, role: Role, api_as: ApiAs, ours: Tenant) -> None:
    """S14."""
    response = make(call, api_as(role), ours)
    assert (response.status_code == 403) == (NEEDS[call] not in ALLOWED[role])
    assert response.status_code < 500


@each_case("call", sorted(NEEDS.keys() | OWN))
def test_without_a_token_nothing_is_answered(call: Call, ours: Tenant) -> None:
    response = make(call, APIClient(), ours)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["code"] == "not_authenticated"


@each_case("call", DETAILS)
def test_another_organizations_row_does_not_exist(call: Call, api_as: ApiAs, ours: Tenant, theirs: Tenant) -> None:
    """S1."""
    before = rows(theirs)
    response = make(call, api_as(Role.ADMIN), theirs)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert rows(theirs) == before


@each_case("route", LISTS)
def test_lists_hold_the_own_organizations_rows_only(route: str, api_as: ApiAs, ours: Tenant, theirs: Tenant) -> None:
    """S1."""
    body = api_as(Role.VIEWER).get(address(route)).json()
    found = {str(row["id"]) for row in body["results"]}
    assert str(ours.id_for(route)) in found
    assert str(theirs.id_for(route)) not in found


FOREIGN_FILTERS = [
    ("draft-orders/", "customer"),
    ("exports/", "customer"),
    ("exports/", "connection"),
    ("exports/", "draft_order"),
    ("ack-files/", "connection"),
    ("ack-files/", "export"),
    ("ack-files/", "name"),
]


@each_case(("route", "name"), FOREIGN_FILTERS)
def test_filtering_by_another_organizations_row_finds_nothing(
    route: str, name: str, api_as: ApiAs, ours: Tenant, theirs: Tenant
) -> None:
    """S1."""
    wanted = {
        "customer": theirs.order.customer_id,
        "connection": theirs.connection.pk,
        "draft_order": theirs.export.draft_order_id,
        "export": theirs.export.pk,
        "name": theirs.ack.name,
    }[name]
    assert api_as(Role.VIEWER).get(address(route), {name: str(wanted)}).json()["results"] == []


def test_a_user_without_an_organization_is_told_so(api_as: ApiAs, ours: Tenant) -> None:
    response = api_as(None).get(address("draft-orders/"))
    assert response.status_code == 403
    assert "belongs to no organization" in response.json()["detail"]


def test_a_superuser_sees_every_organization_but_creates_in_none(api_as: ApiAs, ours: Tenant, theirs: Tenant) -> None:
    root = api_as(None, is_superuser=True)
    for tenant in (ours, theirs):
        assert root.get(address("draft-orders/<uuid:pk>/", tenant.order.pk)).status_code == 200
    orders = DraftOrder.objects.count()
    connection = {"name": "New", "connector_type": "DROPZONE_JSON_V1", "config": {}}
    for route, body in (("draft-orders/", {}), ("erp-connections/", connection)):
        response = root.post(address(route), body)
        assert (response.status_code, response.json()["code"]) == (403, "no_organization")
    assert DraftOrder.objects.count() == orders


def test_a_superuser_pushes_over_connections_of_the_orders_organization_only(
    api_as: ApiAs, ours: Tenant, theirs: Tenant
) -> None:
    DraftOrder.objects.filter(pk=ours.order.pk).update(status="APPROVED")
    push = address("draft-orders/<uuid:pk>/push/", ours.order.pk)
    response = api_as(None, is_superuser=True).post(push, {"connection": str(theirs.connection.pk)})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_connection")


def test_a_view_that_declares_nothing_is_refused(api_as: ApiAs, ours: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    from orderflow.orders.api.views import DraftOrderViewSet  # noqa: PLC0415

    monkeypatch.setattr(DraftOrderViewSet, "needs", {"retrieve": Action.READ})
    assert api_as(Role.ADMIN).get(address("draft-orders/")).status_code == 403
    assert api_as(Role.ADMIN).get(address("draft-orders/<uuid:pk>/", ours.order.pk)).status_code == 200


def test_a_deactivated_user_is_out_at_once(api_as: ApiAs, ours: Tenant) -> None:
    api = api_as(Role.ADMIN)
    User.objects.update(is_active=False)
    assert api.get(address("draft-orders/")).status_code == 401


def make(call: Call, api: APIClient, tenant: Tenant) -> Any:
    method, route = call
    pk = tenant.id_for(route) if is_of_one_row(route) else None
    body: dict[str, str] | None = None if method == "get" else {}
    return getattr(api, method)(address(route, pk), body)


def rows(tenant: Tenant) -> list[object]:
    kinds: tuple[type[models.Model], ...] = (DraftOrder, ERPConnection, ERPExport, AckFile)
    return [list(kind._base_manager.filter(organization=tenant.organization).order_by("pk").values()) for kind in kinds]
