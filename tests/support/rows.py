"""Orders and exports by the thousand, made inside PostgreSQL: as many, and in the states, as a benchmark wants. On
SQLite there are orders that may be pushed, made one by one."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django.db import connection as database
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport, EventKind, ExportEvent, Verdict
from exports.models.status import ExportStatus
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry

# One order each, with an export each, spread evenly over the connections; the orders' ids by time, as the product's.
_FRESH = """
CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
SELECT n, overlay(replace(gen_random_uuid()::text, '-', '') PLACING milliseconds || '7' FROM 1)::uuid AS order_id,
       gen_random_uuid() AS export_id, way.id AS connection_id, way.organization_id, customer.id AS customer_id,
       created_at
FROM generate_series(1, %s) AS n
CROSS JOIN LATERAL (SELECT now() - (%s - n) * interval '1 millisecond' AS created_at) AS made
CROSS JOIN LATERAL (SELECT lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') AS milliseconds) AS at
JOIN (SELECT id, organization_id, row_number() OVER (ORDER BY name, id) - 1 AS turn
      FROM connectors_erpconnection WHERE id = ANY(%s)) AS way ON way.turn = n %% %s
JOIN orders_customer AS customer ON customer.organization_id = way.organization_id
"""
_FILENAME = """
'sales_order_' || order_id || to_char(created_at AT TIME ZONE 'UTC', '"_"YYYYMMDD"T"HH24MISS"Z_"')
|| left(export_id::text, 8) || '.json'
"""
_HISTORY = {
    ExportStatus.PENDING: [EventKind.REQUESTED],
    ExportStatus.SENT: [EventKind.REQUESTED, EventKind.STAGED, EventKind.SENT],
    ExportStatus.ACKED: [EventKind.REQUESTED, EventKind.STAGED, EventKind.SENT, EventKind.ACKED],
}


def add_customers(connections: Sequence[ERPConnection]) -> None:
    organizations = {connection.organization_id for connection in connections}
    Customer.objects.bulk_create(
        Customer(organization_id=organization, erp_customer_number="TOMSP", name="Toms Spezialitäten")
        for organization in organizations
    )


@transaction.atomic
def add_approved(connections: Sequence[ERPConnection], count: int, *, lines: int = 3) -> None:
    """Orders that may be pushed."""
    if database.vendor == "sqlite":
        _add_one_by_one(connections, count, lines)
        return
    _begin(connections, count)
    _add_orders(OrderStatus.APPROVED, lines)


def _add_one_by_one(connections: Sequence[ERPConnection], count: int, lines: int) -> None:
    ways = [each.organization_id for each in sorted(connections, key=lambda each: (each.name, each.pk))]
    customers = dict(Customer.objects.filter(organization__in=ways).values_list("organization", "pk"))
    now = timezone.now()
    orders = [
        DraftOrder(
            organization_id=ways[n % len(ways)],
            customer_id=customers[ways[n % len(ways)]],
            external_order_number=uuid4().hex[:12],
            approved_at=now,
            **_APPROVED,
        )
        for n in range(1, count + 1)
    ]
    DraftOrder.objects.bulk_create(orders)
    DraftOrderLine.objects.bulk_create(
        DraftOrderLine(order=order, **{**_LINE, "line_no": n}) for order in orders for n in range(1, lines + 1)
    )


@transaction.atomic
def add_exports(connections: Sequence[ERPConnection], count: int, status: ExportStatus, *, lines: int = 3) -> None:
    """Exports with their orders and their history, as the product leaves them behind."""
    _begin(connections, count)
    _add_orders(OrderStatus.PUSHING if status == ExportStatus.PENDING else OrderStatus.PUSHED, lines)
    is_sent = status != ExportStatus.PENDING
    export = ERPExport(status=status, requested_by="bench", created_at=timezone.now(), tries=int(is_sent))
    sent = {
        "staged_path": f"'in/' || {_FILENAME} || '.tmp'",
        "dropzone_path": f"'in/' || {_FILENAME}",
        "storage_key": f"'exports/' || organization_id || '/' || {_FILENAME}",
        "document_sha256": "repeat('0', 64)",
        "document_size": "1300",
        "sent_at": "created_at",
    }
    if status == ExportStatus.SENT:
        sent["answer_due_at"] = "now() + interval '1 day'"
    if status == ExportStatus.ACKED:
        sent["settled_at"] = "created_at"
    _insert(
        export,
        id="export_id",
        draft_order_id="order_id",
        filename=_FILENAME,
        created_at="created_at",
        **_owned,
        **(sent if is_sent else {}),
    )
    for kind in _HISTORY[status]:
        _insert(ExportEvent(kind=kind, actor="bench", at=timezone.now(), detail={"bytes": 1300}), export_id="export_id")
    _insert(
        AuditEntry(actor="bench", action="push", subject_type="draftorder"),
        organization_id="organization_id",
        subject_id="order_id::text",
    )
    if status == ExportStatus.ACKED:
        ack = AckFile(sha256="0" * 64, size=100, modified_at=0, raw="{}", verdict=Verdict.MATCHED)
        _insert(ack, name=f"'ack_' || {_FILENAME}", export_id="export_id", seen_at="created_at", **_owned)


def tidy_up() -> None:
    """What autovacuum and the checkpointer do in the minutes after: not while something is measured."""
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


_APPROVED: dict[str, Any] = {"currency": "EUR", "status": OrderStatus.APPROVED, "created_by": "bench"}
_LINE: dict[str, Any] = {
    "line_no": 1,
    "internal_sku": "42",
    "qty": 10,
    "uom": "ST",
    "unit_price": "9.80",
    "description": "Chang",
}
_owned = {"organization_id": "organization_id", "connection_id": "connection_id"}


def _begin(connections: Sequence[ERPConnection], count: int) -> None:
    with database.cursor() as cursor:
        ids = [connection.pk for connection in connections]
        # A look for the other row of each key takes longer than all the rest, and the rows fit by their making.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_FRESH, [count, count, ids, len(ids)])


def _add_orders(status: OrderStatus, lines: int) -> None:
    order = DraftOrder(**{**_APPROVED, "status": status}, approved_at=timezone.now())
    number = "right(order_id::text, 12)"
    of_organization = {"organization_id": "organization_id", "customer_id": "customer_id", "created_at": "created_at"}
    _insert(order, id="order_id", external_order_number=number, **of_organization)
    _insert(
        DraftOrderLine(**_LINE),
        f"fresh CROSS JOIN generate_series(1, {lines}) AS number",
        order_id="order_id",
        line_no="number",
    )


def _insert(like: Model, source: str = "fresh", **expressions: str) -> None:
    """A row for each of `source`, with the values of `like`, but for the columns that `expressions` make in SQL."""
    columns, values, parameters = [], [], []
    for field in like._meta.concrete_fields:
        if field.column in expressions:
            values.append(expressions[field.column])
        elif field.get_internal_type() == "BigAutoField":
            continue
        else:
            values.append("%s")
            parameters.append(field.get_db_prep_save(field.pre_save(like, add=True), database))
        columns.append(f'"{field.column}"')
    statement = f'INSERT INTO "{like._meta.db_table}" ({", ".join(columns)}) SELECT {", ".join(values)} FROM {source}'  # noqa: S608
    with database.cursor() as cursor:
        cursor.execute(statement, parameters)
