"""What the demo does with the product: a wholesaler, its administrator, its connection, and its orders on their way."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from django.contrib.auth.models import User
from django.db.models import Count

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from connectors.ports import TestResult
from exports.models import ERPExport
from exports.models.status import ExportStatus
from exports.push_service import PushRequest, push
from orderflow.demo.erp.server import Access
from orderflow.orders.approval import approve
from orderflow.orders.importing.importer import import_orders
from orderflow.orders.importing.source import Source, read_source
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Role

SAMPLES = Path(__file__).parent / "northwind"
USERNAME = "admin"


def sample_orders(count: int) -> Source:
    source = read_source(SAMPLES)
    return replace(source, orders=source.orders[:count])


def create_organization() -> Organization:
    return Organization.objects.create(name="Nordwind Großhandel", slug="nordwind")


def create_administrator(organization: Organization) -> str:
    """The password, which nobody else knows."""
    password = secrets.token_urlsafe(12)
    user = User.objects.create_superuser(USERNAME, password=password)
    Membership.objects.create(user=user, organization=organization, role=Role.ADMIN)
    return password


def create_connection(organization: Organization, access: Access) -> TestResult:
    connection = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="Nordwind ERP", is_default=True, config=access.connection_config)
    connection_service.save(connection, changes, actor=USERNAME)
    return connection_service.test(connection, actor=USERNAME)


def import_samples(source: Source, organization: Organization, on_progress: Callable[[int], None]) -> None:
    import_orders(source, organization, USERNAME, on_progress=on_progress)


def approve_all(organization: Organization) -> Iterator[int]:
    """How many are done, one after the other."""
    rows = DraftOrder.objects.filter(organization=organization, status=OrderStatus.READY)
    for done, order in enumerate(rows.order_by("external_order_number"), start=1):
        approve(order, USERNAME)
        yield done


def push_all(organization: Organization) -> Iterator[int]:
    """How many are done, one after the other."""
    rows = DraftOrder.objects.filter(organization=organization, status=OrderStatus.APPROVED)
    for done, order in enumerate(rows.order_by("external_order_number"), start=1):
        push(PushRequest(order=order, actor=USERNAME))
        yield done


def counts(organization: Organization) -> Counter[str]:
    """How many exports are in each state."""
    rows = ERPExport.objects.filter(organization=organization).order_by()
    return Counter(dict(rows.values_list("status").annotate(Count("pk"))))


def refusals(organization: Organization) -> Counter[str]:
    """Why exports failed, the most frequent reason first."""
    rows = ERPExport.objects.filter(organization=organization, status=ExportStatus.FAILED).order_by()
    return Counter(dict(rows.values_list("error_message").annotate(Count("pk"))))
