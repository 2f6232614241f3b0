"""A dropzone behind one server, and orders pushed over it: for trials of what happens behind the push."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import cycle
from pathlib import Path

from django.utils import timezone

from connectors.models import ERPConnection
from exports import push_service
from exports.push_service import PushRequest
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.exports.conftest import connect_to
from tests.exports.faults.zone import Zone
from tests.servers.faulty.server import Fault, faulty_server
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.openssh import OpenSSHServer

# A batch of this size is lost often and as a whole, and there are many of them.
BATCH = 25


@contextmanager
def faulty_zone(folder: Path, faults: list[Fault]) -> Iterator[Zone]:
    with faulty_server(folder / "erp", faults) as server:
        yield Zone(server=server, faults=faults, connection=connected(server, timeout_s=1))


def connected(server: AsyncSSHServer | OpenSSHServer, **config: object) -> ERPConnection:
    """An organization with a customer and this one way."""
    for name in ("in", "acks"):
        (server.root / name).mkdir()
    organization = Organization.objects.create(name="Acme", slug="acme")
    Customer.objects.create(organization=organization, erp_customer_number="TOMSP", name="Toms Spezialitäten")
    return connect_to(server, organization, **config)


def push(connection: ERPConnection, count: int, *, lines: Sequence[int] = (1,), first: int = 0) -> None:
    """`lines` are how many each order has, in turn; `first` numbers them on."""
    for order in approved(connection, count, lines=lines, first=first):
        push_service.push(PushRequest(order=order, actor="torture", connection=connection))


def approved(connection: ERPConnection, count: int, *, lines: Sequence[int] = (1,), first: int = 0) -> list[DraftOrder]:
    """As `push`, but not pushed."""
    customer = Customer.objects.get()
    orders = [
        DraftOrder(
            organization_id=connection.organization_id,
            customer=customer,
            external_order_number=f"PO-{n}",
            currency="EUR",
            status=OrderStatus.APPROVED,
            approved_at=timezone.now(),
        )
        for n in range(first, first + count)
    ]
    DraftOrder.objects.bulk_create(orders)
    DraftOrderLine.objects.bulk_create(
        DraftOrderLine(order=order, line_no=n, internal_sku="42", qty=Decimal(10), uom="ST", description="Chang")
        for order, many in zip(orders, cycle(lines), strict=False)
        for n in range(1, many + 1)
    )
    return orders
