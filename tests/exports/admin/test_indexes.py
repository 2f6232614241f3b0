"""What PostgreSQL reads for the admin's long lists: with each filter and each search, what an index finds or the newest
that are there."""

import pytest
from django.db import connection as database
from django.test import Client

from exports.models import ERPExport
from exports.models.status import ExportStatus
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.tenancy.models import Organization
from tests.support import rows
from tests.support.exports.query_plans import _oldest, add_tenants, asked, costliest
from tests.support.tenants import list_url, log_in, log_in_superuser

pytestmark = [
    pytest.mark.skipif(database.vendor != "postgresql", reason="`make test-postgres` asks PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]

# By one query: a page with what stands in it of other tables, or what a search takes of a kind, and never a tenant's
# five thousand.
LOOKED_AT = 1_500


@pytest.fixture
def grown(organization: Organization) -> Organization:
    """One organization among several, with notices of all exports and one that the ERP gave a number."""
    for way in add_tenants(organization):
        WebhookEndpoint.objects.create(
            organization=way.organization, name="W", url="https://127.0.0.1/", secret_encrypted=b""
        )
    ERPExport.objects.filter(pk=_oldest(organization).pk).update(erp_order_id="SO-1")
    endpoints = {way.organization_id: way for way in WebhookEndpoint.objects.all()}
    WebhookMessage.objects.bulk_create(
        WebhookMessage(
            organization_id=export.organization_id, endpoint=endpoints[export.organization_id], export=export,
            type="export.acked", payload="{}", status="DELIVERED", created_at=export.created_at,
        )
        for export in ERPExport.objects.filter(status=ExportStatus.ACKED)
    )  # fmt: skip
    rows.tidy_up()
    return organization


def test_a_list_is_read_from_an_index(grown: Organization) -> None:
    people = {"admin": log_in(grown), "superuser": log_in_superuser()}
    costly = {
        f"{list_url(model)}?{query} {who}": cost
        for model, query in asked(grown)
        for who, client in people.items()
        if (cost := looked_at(client, f"{list_url(model)}?{query}"))[0] > LOOKED_AT
    }
    assert costly == {}


def looked_at(client: Client, url: str) -> tuple[int, str]:
    """How many rows PostgreSQL touches for that query of the page's which touches most."""

    def load() -> None:
        assert client.get(url).status_code == 200

    return costliest(load)
