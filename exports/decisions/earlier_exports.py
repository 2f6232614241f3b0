"""Exports of an order that was rejected and whose number another order has now."""

from exports.models import ERPExport
from exports.models.failure_cause import DOUBTFUL
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus

DONE = (OrderStatus.PUSHING, OrderStatus.PUSHED, OrderStatus.REJECTED)


def may_have_arrived(order: DraftOrder) -> ERPExport | None:
    """The newest export of a rejected order with the customer and number of `order` that the ERP may have received;
    None if there is none, or if `order` is not waiting to be pushed."""
    if order.status in DONE or not order.external_order_number:
        return None
    same = DraftOrder.objects.filter(
        organization=order.organization_id,
        customer=order.customer_id,
        external_order_number=order.external_order_number,
        status=OrderStatus.REJECTED,
    ).exclude(pk=order.pk)
    exports = ERPExport.objects.filter(draft_order__in=same.order_by(), status=ExportStatus.FAILED)
    return exports.filter(cause__in=DOUBTFUL).order_by("-created_at").first()
