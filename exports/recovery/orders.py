"""An order written again as its document has it."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.ports import ExportAttempt
from connectors.registry import registry
from connectors.types.inspection import DocumentReadingConnector
from connectors.types.sales_order import OrderLine, SalesOrder
from exports.decisions import in_doubt
from exports.documents.sales_orders import order_lines, sales_order
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization

ACTOR = "recover"
NAMESAKE = "An order of this number was sent before, and the database lost it. Ask the ERP's administrator."


class CannotRestore(Exception):
    """The message says why, for people."""


def read(connection: ERPConnection, content: bytes) -> SalesOrder:
    """Raises `CannotRestore`."""
    connector = registry.create(connection.connector_type)
    if not isinstance(connector, DocumentReadingConnector):
        raise CannotRestore(f"Connector {connection.connector_type} cannot read its documents back.")
    try:
        return connector.read_document(content, org_id=connection.organization_id)
    except ConnectorError as error:
        raise CannotRestore(str(error)) from error


def rendered_sha256(order: DraftOrder, connection: ERPConnection, attempt: ExportAttempt) -> str:
    """Of the document of the order as it is now; empty where it has none."""
    lines = order_lines([ERPExport(draft_order=order)])[order.pk]
    try:
        return registry.create(connection.connector_type).render(sales_order(order, lines), attempt).sha256
    except ConnectorError:
        return ""


def write(found: SalesOrder, organization: Organization) -> DraftOrder:
    """A new row, or the old one with what the document says; PUSHING. Raises `CannotRestore`."""
    try:
        with transaction.atomic():
            order = _written(found, organization)
            DraftOrderLine.objects.filter(order=order).delete()
            DraftOrderLine.objects.bulk_create(_line(order, line) for line in found.lines)
            record(organization.pk, ACTOR, "recover order", order)
    except IntegrityError as error:
        _hold_namesake(found, organization)
        raise CannotRestore(
            f"Customer {found.customer.erp_customer_number} has another order {found.external_order_number!r}, which "
            "was entered again. Do not send that one."
        ) from error
    return order


def _hold_namesake(found: SalesOrder, organization: Organization) -> None:
    number = found.external_order_number or ""
    rows = ERPExport.objects.filter(
        organization=organization,
        draft_order__external_order_number=number,
        draft_order__customer__erp_customer_number=found.customer.erp_customer_number,
        status=ExportStatus.PENDING,
        staged_path="",
    )
    if number:
        ERPExport.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(**in_doubt.columns(NAMESAKE))


def set_pushing(order: DraftOrder) -> None:
    """Whatever the database remembers of it: it was pushed."""
    now = timezone.now()
    DraftOrder.objects.filter(pk=order.pk).update(status=OrderStatus.PUSHING, error_message="", updated_at=now)
    order.status = OrderStatus.PUSHING


def require_number(order: DraftOrder) -> None:
    """Raises `CannotRestore` where another order has taken the number of a rejected one."""
    number = order.external_order_number
    others = DraftOrder.objects.exclude(pk=order.pk).exclude(status=OrderStatus.REJECTED)
    others = others.filter(customer=order.customer_id, external_order_number=number)
    if number and order.customer_id and others.exists():
        raise CannotRestore(f"Another order {number!r} of the same customer was entered. Do not send that one.")


def stop(order_id: UUID, why: str) -> None:
    """It was sent, and nothing can be restored of that: only a person may push it again."""
    text = f"{why} Ask the ERP's administrator whether it has the order."[:500]
    pending = ERPExport.objects.filter(draft_order=order_id, status=ExportStatus.PENDING, staged_path="")
    if not pending.update(**in_doubt.columns(text)):
        rows = DraftOrder.objects.filter(pk=order_id).exclude(status__in=[OrderStatus.PUSHING, OrderStatus.PUSHED])
        try:
            with transaction.atomic():
                rows.update(status=OrderStatus.ERROR, error_message=text, updated_at=timezone.now())
        except IntegrityError:
            # It was rejected, and another order has its number now.
            rows.update(error_message=text, updated_at=timezone.now())


def _written(found: SalesOrder, organization: Organization) -> DraftOrder:
    source = found.source_document
    fields = {
        "organization": organization,
        "customer": _customer(found, organization),
        "external_order_number": found.external_order_number or "",
        "order_date": found.order_date,
        "currency": found.currency,
        "requested_delivery_date": found.requested_delivery_date,
        "notes": found.notes or "",
        "status": OrderStatus.PUSHING,
        "approved_at": found.approved_at,
        "created_by": found.created_by or "",
        "source_document_id": source.document_id if source else "",
        "source_file_name": source.file_name if source else "",
        "source_sha256": source.sha256 if source else "",
    }
    order, _ = DraftOrder.objects.update_or_create(
        pk=found.draft_order_id, defaults=fields, create_defaults={**fields, "approved_by": ACTOR}
    )
    return order


def _customer(found: SalesOrder, organization: Organization) -> Customer:
    """By its number, which is unique; a new one gets the id that the document names."""
    values = found.customer
    customer, _ = Customer.objects.update_or_create(
        organization=organization,
        erp_customer_number=values.erp_customer_number,
        defaults={"name": values.name},
        create_defaults={"name": values.name, "id": values.id},
    )
    return customer


def _line(order: DraftOrder, line: OrderLine) -> DraftOrderLine:
    return DraftOrderLine(
        order=order,
        line_no=line.line_no,
        internal_sku=line.internal_sku,
        qty=line.qty,
        uom=line.uom,
        unit_price=line.unit_price,
        currency="" if line.currency == order.currency else line.currency,
        customer_sku_raw=line.customer_sku_raw or "",
        description=line.description or "",
    )
