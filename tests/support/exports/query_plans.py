"""What a query reads."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport
from exports.models.status import ExportStatus
from exports.webhooks.models import WebhookMessage
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from tests.support import rows

TENANTS, ORDERS = 4, 20_000


def add_tenants(organization: Organization) -> list[ERPConnection]:
    """Their connections. Three orders of `organization`, the oldest, are of another customer than the rest."""
    ways = []
    for n in range(TENANTS):
        tenant = organization if n == 0 else Organization.objects.create(name=f"Other {n}", slug=f"other-{n}")
        ways.append(ERPConnection.objects.create(organization=tenant, name="A", connector_type="DROPZONE_JSON_V1"))
    rows.add_customers(ways)
    rows.add_exports(ways, ORDERS, ExportStatus.ACKED, lines=1)
    rows.add_exports(ways, 40, ExportStatus.SENT, lines=1)
    rows.add_approved(ways, 40, lines=1)
    rare = Customer.objects.create(organization=organization, erp_customer_number="RARE", name="Rare")
    oldest = DraftOrder.objects.filter(organization=organization).order_by("created_at").values("pk")[:3]
    DraftOrder.objects.filter(pk__in=oldest).update(customer=rare)
    return ways


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from nodes(below)


def touched(node: dict[str, Any]) -> float:
    if "Scan" not in node["Node Type"]:
        return 0
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


OPEN_EXPORTS = ["open=failed", "open=overdue"]


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
