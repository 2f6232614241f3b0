"""What will become of many orders if they are pushed now: told before anything is done."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils import timezone

from connectors.models import ERPConnection
from exports import push_service
from exports.acks import unread as unread_acks
from exports.bulk import refusals
from exports.bulk.refusals import Grouped
from exports.bulk.routing import refusal, ways
from exports.decisions import resend_warnings
from orderflow.admin.optimistic_locking.row_version import digest_of
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """So many orders over one connection. `waits` says why they would not leave at once, or is empty."""

    connection: ERPConnection
    count: int
    waits: str


@dataclass(kw_only=True, slots=True)
class Plan:
    """`order_ids` are those that will go, by organization. `unread` names acknowledgement files about them that nobody
    has read or decided about, `advice` says what to do about these, or about others that may be, and `doubt` that the
    ERP may have some of the orders; each may be empty."""

    ways: list[Way] = field(default_factory=list)
    refusals: Grouped = field(default_factory=dict)
    order_ids: dict[Organization, list[UUID]] = field(default_factory=dict)
    unread: str = ""
    advice: str = ""
    doubt: str = ""

    @property
    def seen(self) -> str:
        """The version of what people confirm: which orders go, over which connections."""
        return digest_of([self.seen_ways, sorted(str(pk) for ids in self.order_ids.values() for pk in ids)])

    @property
    def seen_ways(self) -> str:
        """Of the connections, the files and the doubt alone."""
        ways = sorted((str(way.connection.pk), way.connection.name) for way in self.ways)
        return digest_of([ways, self.unread, self.doubt])

    @property
    def going(self) -> int:
        return sum(way.count for way in self.ways)

    @property
    def staying(self) -> int:
        return sum(group.count for group in self.refusals.values())


def plan(orders: Iterable[DraftOrder], source: OrderStatus) -> Plan:
    """Of orders that came with their organization."""
    made, waiting = Plan(), dict[Organization, list[UUID]]()
    for order in orders:
        if order.status == source:
            waiting.setdefault(order.organization, []).append(order.pk)
        else:
            why = refusals.grouped([push_service.refusal(order, source)])
            made.refusals = refusals.added(made.refusals, why)
    for organization, ids in waiting.items():
        _plan_ways(made, organization, source, ids)
    before = unread_acks.failed_last([pk for ids in made.order_ids.values() for pk in ids])
    made.unread, made.advice = resend_warnings.unsettled_files(before), resend_warnings.advice(before)
    made.doubt = resend_warnings.may_have_some(before)
    return made


def _plan_ways(made: Plan, organization: Organization, source: OrderStatus, order_ids: list[UUID]) -> None:
    for connection, ids in ways(organization, source, order_ids).items():
        refused = refusal(connection, organization)
        if refused:
            made.refusals = refusals.added(made.refusals, refusals.grouped([refused] * len(ids)))
        elif connection:
            made.ways.append(Way(connection=connection, count=len(ids), waits=_waits(connection)))
            made.order_ids.setdefault(organization, []).extend(ids)


def _waits(connection: ERPConnection) -> str:
    if connection.blocked_at:
        return f"It is blocked, so they wait: {connection.blocked_reason}"
    if connection.paused_until and connection.paused_until > timezone.now():
        return "It is paused, so they wait until its server is back."
    return ""
