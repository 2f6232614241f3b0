"""The order's form in the admin."""

from typing import Any

from django.test import Client

from orderflow.fields.number_parsing import as_written
from orderflow.orders.models import DraftOrder
from tests.support.tenants import page_url


def form_of(order: DraftOrder, **changes: Any) -> dict[str, Any]:
    """What the browser sends for the order as it stands, with `changes` over it."""
    line = order.lines.get()
    header = {
        "organization": order.organization_id, "customer": order.customer_id, "currency": order.currency,
        "external_order_number": order.external_order_number, "order_date": "", "requested_delivery_date": "",
        "notes": order.notes, "source_document_id": "", "source_file_name": "", "source_sha256": "",
    }  # fmt: skip
    lines = {
        "lines-TOTAL_FORMS": 1, "lines-INITIAL_FORMS": 1, "lines-0-id": line.pk, "lines-0-order": order.pk,
        "lines-0-line_no": 1, "lines-0-internal_sku": line.internal_sku, "lines-0-qty": as_written(line.qty),
        "lines-0-uom": line.uom, "lines-0-unit_price": as_written(line.unit_price), "lines-0-currency": "",
        "lines-0-customer_sku_raw": "", "lines-0-description": "",
    }  # fmt: skip
    return {name: "" if value is None else value for name, value in (header | lines | changes).items()}


def save(client: Client, order: DraftOrder, **changes: Any) -> str:
    page = client.post(page_url(order), form_of(order, **changes), follow=True)
    assert page.status_code == 200
    order.refresh_from_db()
    return page.content.decode()
