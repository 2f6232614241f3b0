"""What PostgreSQL reads for the admin's long lists: with each filter and each search, what an index finds or the newest
that are there."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exports.models import AckFile, ERPExport
from exports.models.status import ExportStatus
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from tests.orderflow.api.lists.test_indexes import add_tenants, nodes, touched
from tests.support import rows
from tests.support.tenants import list_url, log_in, log_in_superuser

pytestmark = [
    pytest.mark.skipif(database.vendor != "postgresql", reason="`make test-postgres` asks PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]

# By one query: a page with what stands in it of other tables, or what a search takes of a kind, and never a tenant's
# five thousand.
LOOKED_AT = 1_500
OPEN_EXPORTS = ["open=failed", "open=overdue"]


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


def _oldest(organization: Organization) -> ERPExport:
    return ERPExport.objects.filter(organization=organization).earliest("created_at")


def asked(organization: Organization) -> Iterator[tuple[type[Model], str]]:
    """Each filter and each search, by what many rows have, what few have, and what none has."""
    oldest = _oldest(organization)
    order = oldest.draft_order
    searched = [
        order.external_order_number, order.external_order_number[:3], "NONE", oldest.filename, oldest.pk, order.pk,
        organization.pk, f"ack_{oldest.filename}", "ack_none.json", "SO-1", "TOMSP", "Toms", "RARE",
    ]  # fmt: skip
    days = ["2020-01-01", "2999-01-01"]
    connections = [f"connection__id__exact={oldest.connection_id}"]
    filters: dict[type[Model], list[str]] = {
        DraftOrder: ["q=0", *(f"status__exact={status}" for status in ("APPROVED", "PUSHED", "ERROR"))],
        ERPExport: [*connections, *(f"status__exact={status}" for status in ExportStatus), *OPEN_EXPORTS],
        AckFile: [*connections, *(f"verdict__exact={verdict}" for verdict in ("MATCHED", "ORPHAN")), "open=to_check"],
        WebhookMessage: [f"status__exact={status}" for status in ("DELIVERED", "FAILED")],
    }
    for model, queries in filters.items():
        time = "seen_at" if model is AckFile else "created_at"
        yield from ((model, query) for query in ["", *queries])
        yield from ((model, f"{time}_{end}={day}") for end in ("from", "to") for day in days)
        yield from ((model, f"q={term}") for term in searched)
    audit = ["", "at_from=2999-01-01", "at_to=2020-01-01", "q=bench", "q=nobody", f"q={order.pk}"]
    yield from ((AuditEntry, query) for query in audit)


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


def costliest(work: Callable[[], object], *, but: str = "no such query") -> tuple[int, str]:
    """Of the queries of `work`, but those with that text in them."""
    with CaptureQueriesContext(database) as caught:
        work()
    asked = [query["sql"] for query in caught if query["sql"].startswith("SELECT") and but not in query["sql"]]
    return max((_cost(query), query) for query in asked)


def _cost(query: str) -> int:
    # A table as small as these is sooner read as a whole than by a hundred looks into an index.
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        (found,) = cursor.fetchone()
    plans: list[dict[str, Any]] = json.loads(found) if isinstance(found, str) else found
    return round(sum(touched(node) for node in nodes(plans[0]["Plan"])))
