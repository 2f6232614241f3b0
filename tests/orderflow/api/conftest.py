from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport, EventKind, ExportEvent, Verdict
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.servers.web import serving
from tests.support.shared_database import database_url


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """An organization with one row of everything that the API shows."""

    organization: Organization
    order: DraftOrder
    connection: ERPConnection
    export: ERPExport
    ack: AckFile

    def id_for(self, route: str) -> UUID | int:
        rows: dict[str, DraftOrder | ERPConnection | ERPExport | AckFile] = {
            "draft-orders": self.order,
            "erp-connections": self.connection,
            "exports": self.export,
            "ack-files": self.ack,
        }
        return rows[route.partition("/")[0]].pk


@pytest.fixture
def ours(organization: Organization, make_order: MakeOrder, connection: ERPConnection) -> Tenant:
    return furnished(organization, make_order, connection)


@pytest.fixture
def theirs(make_order: MakeOrder, dropzone_root: object) -> Tenant:
    organization = Organization.objects.create(name="Globex", slug="globex")
    changes = ConnectionChanges(name="Theirs", is_default=True, config={"mode": "filesystem", "export_path": "in"})
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    return furnished(organization, make_order, connection_service.save(row, changes, actor="test"))


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The port of a gunicorn on the tests' database, for tests that commit."""
    folder = tmp_path_factory.mktemp("web")
    with django_db_blocker.unblock():
        url = database_url()
    with serving(url, folder, DROPZONE_ROOT=str(folder / "dropzones")) as port:
        yield port


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is one too many."""
    monkeypatch.setattr("rest_framework.throttling.SimpleRateThrottle.rate", None, raising=False)
    monkeypatch.setattr("rest_framework.throttling.SimpleRateThrottle.get_rate", lambda _: None)


def furnished(organization: Organization, make_order: MakeOrder, connection: ERPConnection) -> Tenant:
    order = make_order(tenant=organization, status=OrderStatus.READY)
    pushed = make_order(tenant=organization, status=OrderStatus.PUSHING)
    export = ERPExport.objects.create(
        organization=organization,
        draft_order=pushed,
        connection=connection,
        created_at=timezone.now(),
        filename=f"sales_order_{pushed.pk}.json",
    )
    ExportEvent.objects.create(export=export, kind=EventKind.REQUESTED, at=export.created_at)
    ack = AckFile.objects.create(
        organization=organization,
        connection=connection,
        export=export,
        name=f"ack_{export.filename}",
        size=2,
        modified_at=0,
        raw="{}",
        verdict=Verdict.MATCHED,
        seen_at=export.created_at,
    )
    return Tenant(organization=organization, order=order, connection=connection, export=export, ack=ack)
