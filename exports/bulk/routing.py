"""Which connection each of many orders goes over: a first push over the default, a retry over that of before."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from connectors.models import ERPConnection
from exports import push_service
from exports.bulk import push as bulk_push
from exports.bulk.push import BulkPush, Outcome
from exports.models import ERPExport
from exports.models.status import PushRefused
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization

# None: there is no way.
Ways = Mapping[ERPConnection | None, Sequence[UUID]]


def ways(organization: Organization, source: OrderStatus, order_ids: Sequence[UUID]) -> Ways:
    """The orders by their connection, in the order given."""
    default = ERPConnection.objects.filter(organization=organization, is_default=True).first()
    before = _connections_before(order_ids) if source == OrderStatus.ERROR else {}
    found: dict[ERPConnection | None, list[UUID]] = {}
    for order_id in order_ids:
        found.setdefault(before.get(order_id, default), []).append(order_id)
    return found


def push_each(
    organization: Organization,
    source: OrderStatus,
    order_ids: Sequence[UUID],
    *,
    actor: str,
    over: ERPConnection | None = None,
) -> list[Outcome]:
    """In the caller's transaction; each over its way, or all `over` one connection. A way that takes none refuses its
    own orders only."""
    outcomes: list[Outcome] = []
    taken: Ways = {over: order_ids} if over else ways(organization, source, order_ids)
    for connection, ids in taken.items():
        try:
            usable = connection or push_service.default_connection(organization)
            bulk = BulkPush(organization=organization, actor=actor, source=source, connection=usable)
            outcomes += bulk_push.push_each(bulk, ids)
        except PushRefused as refusal:
            outcomes += [Outcome(order_id=order_id, status=source, refusal=refusal) for order_id in ids]
    return outcomes


def refusal(connection: ERPConnection | None, organization: Organization) -> PushRefused | None:
    """Why the way takes nothing, or None."""
    try:
        push_service.require_usable(connection or push_service.default_connection(organization), organization)
    except PushRefused as refused:
        return refused
    return None


def _connections_before(order_ids: Sequence[UUID]) -> dict[UUID, ERPConnection]:
    newest = ERPExport.objects.filter(draft_order__pk__any_of=order_ids, superseded_by=None)
    by_order = dict(newest.values_list("draft_order_id", "connection_id"))
    connections = ERPConnection.objects.in_bulk(set(by_order.values()))
    return {order_id: connections[connection_id] for order_id, connection_id in by_order.items()}
