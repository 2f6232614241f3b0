"""The History of a row has what people did to it, whichever way they came."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.utils.timezone import localtime

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from orderflow.admin.scoped import ScopedModelAdmin
from orderflow.orders import approval, editing
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import log_in, make_tenant, page_url


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


def history(client: Client, row: Any) -> str:
    response = client.get(page_url(row, "history"))
    assert response.status_code == 200
    return response.content.decode().partition("What people did")[2]


def test_an_order_of_the_api_has_its_history(client: Client, organization: Organization) -> None:
    """A11. The newest first, with who did it and when."""
    order = editing.create(organization, {"notes": "x"}, actor="shop")
    order = editing.edit(order, {"notes": "y"}, actor="olga")
    approval.reject(order, "otto")
    page = history(client, order)
    entries = AuditEntry.objects.filter(subject_id=str(order.pk)).order_by("-id")
    places = [page.index(f"{entry.action.capitalize()}</strong>") for entry in entries]
    assert [entry.action for entry in entries] == ["reject", "edit order", "create order"]
    assert places == sorted(places)
    for entry in entries:
        assert f"by {entry.actor}" in page
        assert f"{localtime(entry.at):%Y-%m-%d %H:%M:%S}" in page
    assert "fields: notes" in page


def test_an_order_that_nobody_touched_has_its_creation(client: Client, make_order: MakeOrder) -> None:
    """A11. As of an import, which has one line in the audit for all its orders."""
    order = make_order(created_by="import of orders.json")
    page = history(client, order)
    assert f"{localtime(order.created_at):%Y-%m-%d %H:%M:%S}" in page
    assert "by import of orders.json" in page


def test_a_connections_history_has_no_value_of_its_config(client: Client, connection: ERPConnection) -> None:
    """S4, S14."""
    connection_service.save(connection, ConnectionChanges(config={"export_path": "canary"}), actor="ina")
    page = history(client, connection)
    assert "config: export_path" in page
    assert "canary" not in page


def test_another_organizations_history_is_not_there(client: Client) -> None:
    """S1."""
    globex = make_tenant("globex")
    for row in globex.rows.values():
        assert client.get(page_url(row, "history")).status_code in (403, 404), row


def test_the_button_is_there_where_there_is_a_history(client: Client, organization: Organization) -> None:
    """A11."""
    acme = make_tenant("own")
    client = log_in(acme.organization, Role.ADMIN)
    for model, row in acme.rows.items():
        page = admin.site._registry[model]
        assert isinstance(page, ScopedModelAdmin)
        shown = page_url(row, "history") in client.get(page_url(row)).content.decode()
        assert shown == page.has_history == (model is not AuditEntry), model


def test_who_may_not_see_the_row_sees_no_history(make_order: MakeOrder) -> None:
    order = make_order()
    assert isinstance(order, DraftOrder)
    assert log_in(None).get(page_url(order, "history")).status_code == 404
