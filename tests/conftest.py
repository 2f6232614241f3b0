"""What tests of every package share: servers, an organization, a connection into a folder, orders on their way."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from connectors.sftp.pool import sessions
from orderflow.api.models import ApiToken
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Role
from tests.servers.sftp import every
from tests.servers.sftp.sftp_server import SFTPServer

MakeOrder = Callable[..., DraftOrder]
ApiAs = Callable[..., APIClient]
SharedServer = Callable[[str], SFTPServer]

# An item that requests one of these, directly or through another fixture, uses the database.
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_setup"}


# Before pytest selects the items by their markers.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the trials first, and marks every item that uses the database, by its fixtures or by `django_db`."""
    # They take longest: at the end, one process would run the last of them while the others have nothing left.
    items.sort(key=lambda item: "trials" not in item.path.parts)
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        if item.get_closest_marker("django_db") or DATABASE_FIXTURES.intersection(fixtures):
            item.add_marker("database")


@pytest.fixture(autouse=True)
def no_kept_session() -> Iterator[None]:
    """What one test leaves open is nothing for the next one to find."""
    yield
    sessions.close_all()


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, settings: Any) -> None:
    """Each test sets the database back; what the one before left outside would be a later life of it."""
    settings.STATE_DIR = tmp_path / "state"
    settings.STORAGES = {
        **settings.STORAGES,
        "exports": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "storage"), "allow_overwrite": True},
        },
    }


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """Any of `every.NAMES`: started when a test first asks for it, shared by all that ask later."""
    with ExitStack() as running:
        yield functools.cache(lambda name: running.enter_context(every.start(name, tmp_path_factory.mktemp(name))))


@pytest.fixture
def organization(db: None) -> Organization:
    return Organization.objects.create(name="Acme", slug="acme")


@pytest.fixture
def dropzone_root(tmp_path: Path, settings: Any) -> Path:
    settings.DROPZONE_ROOT = tmp_path / "dropzones"
    return tmp_path / "dropzones"


@pytest.fixture
def folder(dropzone_root: Path, organization: Organization) -> Path:
    """The organization's dropzone: `in` for orders, `acks` for answers."""
    place = dropzone_root / organization.slug
    for name in ("in", "acks"):
        (place / name).mkdir(parents=True)
    return place


@pytest.fixture
def connection(organization: Organization, folder: Path) -> ERPConnection:
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    changes = ConnectionChanges(name="Folder", is_default=True, config=config)
    return connection_service.save(row, changes, actor="test")


@pytest.fixture
def make_order(organization: Organization) -> MakeOrder:
    """An order with one line, APPROVED unless told otherwise."""
    count = 0

    def make(*, status: str = OrderStatus.APPROVED, tenant: Organization = organization, **fields: Any) -> DraftOrder:
        nonlocal count
        count += 1
        customer, _ = Customer.objects.get_or_create(
            organization=tenant, erp_customer_number="TOMSP", defaults={"name": "Toms Spezialitäten"}
        )
        values = {"customer": customer, "external_order_number": f"PO-{count}", "currency": "EUR"} | fields
        order = DraftOrder.objects.create(organization=tenant, status=status, approved_at=timezone.now(), **values)
        DraftOrderLine.objects.create(
            order=order, line_no=1, internal_sku="42", qty=Decimal(10), uom="ST", unit_price=Decimal("9.80")
        )
        return order

    return make


@pytest.fixture
def api_as(organization: Organization) -> ApiAs:
    """A client of the API with a token of a fresh user, an administrator unless told otherwise."""
    # The throttles count there, and would go on counting from test to test.
    cache.clear()

    def client(role: Role | None = Role.ADMIN, *, tenant: Organization = organization, **user: Any) -> APIClient:
        row = User.objects.create_user(f"user-{User.objects.count()}", **user)
        if role:
            Membership.objects.create(user=row, organization=tenant, role=role)
        _, token = ApiToken.objects.create(row, name="Test")
        api = APIClient(raise_request_exception=False)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return api

    return client


@pytest.fixture
def api(api_as: ApiAs) -> APIClient:
    return api_as()
