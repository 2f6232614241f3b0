"""The command palette finds what people look for, and nothing of others."""

import html

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from connectors.models import ERPConnection
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import log_in, make_tenant, page_url


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Unfold keeps what it found for five minutes."""
    cache.clear()


def palette(client: Client, term: str) -> str:
    answer = client.get(reverse("admin:search"), {"s": term, "extended": "1"})
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def test_orders_customers_and_connections_are_found(
    organization: Organization, connection: ERPConnection, make_order: MakeOrder
) -> None:
    """A10. However the letters are typed."""
    client = log_in(organization, Role.VIEWER)
    customer = Customer.objects.create(organization=organization, erp_customer_number="K1", name="Bäckerei Öller")
    order = make_order(customer=customer, external_order_number="WS-2200")
    ERPConnection.objects.update(name="Öller ERP")
    other = make_order()
    for term in ("öller", "ÖLLER"):
        page = palette(client, term)
        for row in (order, customer, connection):
            assert page_url(row) in page, (term, row)
        assert page_url(other) not in page
    assert "Order of Bäckerei Öller, Approved" in palette(client, "ws-22")
    assert "No results" in palette(client, "nothing like it")


def test_nothing_of_another_organization_is_found(organization: Organization) -> None:
    """S1."""
    globex = make_tenant("globex")
    for client in (log_in(organization), log_in(None)):
        for term in ("globex", str(DraftOrder.objects.get(pk=globex.order.pk).pk)):
            assert "globex" not in palette(client, term).lower()
