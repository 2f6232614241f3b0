"""What PostgreSQL reads for a page of a long list: what an index finds, or the newest that are there."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from exports.models import AckFile, ERPExport
from orderflow.orders.models import Customer
from orderflow.tenancy.models import Organization
from tests.conftest import ApiAs
from tests.support import rows
from tests.support.exports.query_plans import add_tenants, nodes, touched

pytestmark = [
    pytest.mark.skipif(database.vendor != "postgresql", reason="`make test-postgres` asks PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]

# A page and what stands beside it in the index, never an organization's five thousand.
LOOKED_AT = 400
TABLES = {"draft-orders": "orders_draftorder", "exports": "exports_erpexport", "ack-files": "exports_ackfile"}


@pytest.fixture
def api(api_as: ApiAs, organization: Organization) -> APIClient:
    """Of one organization among several."""
    add_tenants(organization)
    rows.tidy_up()
    return api_as()


def asked(organization: Organization) -> Iterator[str]:
    """Each filter, by a value that many rows have, by one that few have, and by one that none has."""
    many, rare = Customer.objects.filter(organization=organization).order_by("-erp_customer_number")
    oldest = ERPExport.objects.filter(organization=organization).earliest("created_at")
    times = ERPExport.objects.filter(organization=organization).order_by("created_at")
    early, late = (times[n].created_at.isoformat().replace("+", "%2B") for n in (30, 4_900))
    number, nobody = oldest.draft_order.external_order_number, organization.pk
    ack = AckFile.objects.get(export=oldest)
    for listed in ("draft-orders", "exports"):
        yield from (f"{listed}/?{query}" for query in [
            "", "ordering=created_at", "ordering=-created_at", "status=FAILED", "status=SENT&status=PENDING",
            f"customer={many.pk}", f"customer={rare.pk}", f"customer={nobody}",
            "erp_customer_number=TOMSP", "erp_customer_number=RARE", "erp_customer_number=NONE",
            f"external_order_number={number}", "external_order_number=NONE",
            f"created_after={late}", f"created_before={early}", f"created_after={early}&created_before={late}",
            f"created_before={early}&ordering=created_at",
        ] if listed == "exports" or "status" not in query)  # fmt: skip
    yield from (
        "draft-orders/?status=APPROVED",
        "draft-orders/?status=ERROR&status=READY",
        "draft-orders/?status=PUSHED",
    )
    yield from (f"exports/?{query}" for query in [
        "status=ACKED", f"draft_order={oldest.draft_order_id}", f"connection={oldest.connection_id}",
        f"connection={nobody}", f"connection={oldest.connection_id}&status=SENT",
    ])  # fmt: skip
    yield from (f"ack-files/?{query}" for query in [
        "", "ordering=id", "verdict=MATCHED", "verdict=ORPHAN", "verdict=LATE&verdict=CONFLICT",
        f"connection={oldest.connection_id}", f"connection={nobody}", f"export={oldest.pk}", f"export={nobody}",
        f"name={ack.name}", "name=none.json", f"seen_after={late}",
    ])  # fmt: skip


def test_a_page_is_read_from_an_index(api: APIClient, organization: Organization) -> None:
    costly = {path: cost for path in asked(organization) if (cost := looked_at(api, path)) > LOOKED_AT}
    assert costly == {}


def looked_at(api: APIClient, path: str) -> int:
    """How many rows PostgreSQL touches in all tables for the list's own query."""
    table = TABLES[path.partition("/")[0]]
    with CaptureQueriesContext(database) as caught:
        response = api.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    queries = [query["sql"] for query in caught if f'FROM "{table}"' in query["sql"]]
    if not queries:
        # No customer has the number, so that there was nothing to look for.
        return 0
    (query,) = queries
    with database.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        (found,) = cursor.fetchone()
    (plan,) = json.loads(found) if isinstance(found, str) else found
    return round(sum(touched(node) for node in nodes(plan["Plan"])))
