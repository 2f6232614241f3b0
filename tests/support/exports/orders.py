"""Orders for tests of deliveries."""

from uuid import UUID

from orderflow.orders.models import DraftOrderLine


def long(order_id: UUID) -> None:
    """A document of more than one write."""
    lines = [DraftOrderLine(order_id=order_id, line_no=n, internal_sku="1", uom="ST", qty=1) for n in range(2, 302)]
    DraftOrderLine.objects.bulk_create(lines)
