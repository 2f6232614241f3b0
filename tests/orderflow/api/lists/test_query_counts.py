"""How often a call asks the database, with one row and with twenty."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import ConnectionEvent, ERPConnection
from exports.models import AckFile, ExportEvent
from orderflow.orders.models import DraftOrderLine
from tests.conftest import ApiAs, MakeOrder
from tests.orderflow.api.calls import NEEDS, address, is_of_one_row
from tests.orderflow.api.conftest import Tenant, furnished

# Who asks: the token with its user and membership. Then what is asked for, by a customer's number one more.
WHO = 1
AT_MOST = {
    "draft-orders/": WHO + 3,
    "draft-orders/<uuid:pk>/": WHO + 2,
    # With whether deliveries are held.
    "exports/": WHO + 3,
    "exports/<uuid:pk>/": WHO + 4,
    "exports/<uuid:pk>/document/": WHO + 1,
    "ack-files/": WHO + 1,
    "ack-files/<int:pk>/": WHO + 1,
    "erp-connections/": WHO + 1,
    "erp-connections/<uuid:pk>/": WHO + 2,
    "connector-types/": WHO,
}
# Each narrows the list by another table, or by none.
QUERIES = {
    "draft-orders/": ["", "status=READY&status=ERROR", "erp_customer_number=TOMSP", "ordering=created_at"],
    "exports/": ["", "status=PENDING", "erp_customer_number=TOMSP", "external_order_number=PO-2"],
    "ack-files/": ["", "verdict=MATCHED", "name=ack_x.json", "ordering=id"],
    "erp-connections/": ["", "status=ACTIVE", "ordering=name"],
}


def test_every_call_that_reads_has_its_number() -> None:
    assert AT_MOST.keys() == {route for method, route in NEEDS if method == "get"}
    assert QUERIES.keys() == {route for route in AT_MOST if not is_of_one_row(route)} - {"connector-types/"}


@pytest.mark.parametrize(
    ("route", "query"), [(route, query) for route in AT_MOST for query in QUERIES.get(route, [""])], ids=str
)
def test_twenty_rows_cost_as_many_queries_as_one(
    route: str, query: str, api_as: ApiAs, ours: Tenant, make_order: MakeOrder
) -> None:
    api = api_as()
    path = f"{address(route, ours.id_for(route) if is_of_one_row(route) else None)}?{query}"
    # A token's first call notes down that it is used.
    queries(api, path)
    one = queries(api, path)
    for n in range(20):
        row = ERPConnection.objects.create(
            organization=ours.organization, name=f"{n}", connector_type="DROPZONE_JSON_V1"
        )
        furnished(ours.organization, make_order, row)
    deepen(ours)
    assert queries(api, path) == one <= AT_MOST[route]


def queries(api: APIClient, path: str) -> int:
    with CaptureQueriesContext(database) as caught:
        assert api.get(path).status_code in (200, 404)
    return len(caught)


def deepen(tenant: Tenant) -> None:
    """Twenty of everything below the rows themselves."""
    now = timezone.now()
    for n in range(2, 22):
        DraftOrderLine.objects.create(order=tenant.order, line_no=n, internal_sku="42", qty=1, uom="ST")
        ExportEvent.objects.create(export=tenant.export, kind="RETRY", at=now)
        ConnectionEvent.objects.create(connection=tenant.connection, kind="PAUSED", at=now)
        AckFile.objects.create(
            organization=tenant.organization, connection=tenant.connection, export=tenant.export, name=f"{n}", size=1,
            modified_at=0, verdict="DUPLICATE", seen_at=now,
        )  # fmt: skip
