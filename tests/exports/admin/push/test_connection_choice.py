"""Which connection a push goes over: chosen on the page of one order or export."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.decisions import withdraw
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.admin.formatting import local_time
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.admin.forms import form_at
from tests.support.tenants import list_url, log_in, make_tenant, page_url


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


def another(organization: Organization, name: str, status: str = "ACTIVE") -> ERPConnection:
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name=name, status=status, config={"mode": "filesystem", "export_path": "in"})
    return connection_service.save(row, changes, actor="test")


def offered(page: str) -> list[str]:
    """The labels of the choice, in order."""
    select = page.partition('name="connection"')[2].partition("</select>")[0]
    return [each.partition(">")[2].partition("</option>")[0] for each in select.split("<option")[1:]]


def press(client: Client, row: DraftOrder | ERPExport, action: str, **data: object) -> str:
    return client.post(page_url(row, "do", action), data, follow=True).content.decode()


def test_a_push_offers_the_active_connections_and_begins_with_the_default(
    client: Client, connection: ERPConnection, organization: Organization, make_order: MakeOrder
) -> None:
    """A8."""
    second, disabled = another(organization, "Second"), another(organization, "Old", "DISABLED")
    globex = make_tenant("globex")
    order = make_order()
    page = client.get(page_url(order)).content.decode()
    assert offered(page) == ["Folder (default)", "Second"]
    form = form_at(client, page_url(order), action=page_url(order, "do", "push"))
    assert form.fields["connection"] == [str(connection.pk)]
    for foreign in (globex.connection.pk, "nonsense"):
        assert "There is no such connection." in press(client, order, "push", connection=foreign)
    assert "is disabled. Enable it" in press(client, order, "push", connection=disabled.pk)
    assert not ERPExport.objects.filter(draft_order=order).exists()
    press(client, order, "push", connection=second.pk)
    assert ERPExport.objects.get(draft_order=order).connection == second


def test_a_push_shows_which_connections_keep_an_order_waiting(
    client: Client, connection: ERPConnection, organization: Organization, make_order: MakeOrder
) -> None:
    """A8."""
    paused, failed = another(organization, "Paused"), another(organization, "Untried")
    until = timezone.now() + timedelta(minutes=15)
    ERPConnection.objects.filter(pk=paused.pk).update(paused_until=until, failures_in_a_row=8)
    ERPConnection.objects.filter(pk=failed.pk).update(last_test_success=False, last_test_at=timezone.now())
    health.block(connection.pk, "The password was refused.")
    assert offered(client.get(page_url(make_order())).content.decode()) == [
        "Folder (default, blocked)",
        f"Paused (paused until {local_time(until)})",
        "Untried (last test failed)",
    ]


def test_a_push_without_a_default_asks_for_a_connection(
    client: Client, connection: ERPConnection, make_order: MakeOrder
) -> None:
    """A8. Nothing is preselected, and the browser asks for a choice."""
    ERPConnection.objects.update(is_default=False)
    order = make_order()
    page = client.get(page_url(order)).content.decode()
    assert "Acme has no default connection. Choose one beside the button." in page
    assert offered(page) == ["Connection…", "Folder"]
    assert "Choose one for the push, or make one the default." in press(client, order, "push")
    press(client, order, "push", connection=connection.pk)
    assert ERPExport.objects.get().connection == connection


@pytest.mark.parametrize(("role", "link"), [(Role.OPS, "See the connections"), (Role.ADMIN, "Add a connection")])
def test_without_an_active_connection_the_page_leads_to_them(
    role: Role, link: str, organization: Organization, make_order: MakeOrder
) -> None:
    """A8. One that is disabled is to be enabled, and not to be added a second time."""
    order = make_order()
    page = log_in(organization, role).get(page_url(order)).content.decode()
    assert "Acme has no active connection, so the order cannot be pushed." in page
    assert link in page
    another(organization, "Old", "DISABLED")
    page = log_in(organization, role).get(page_url(order)).content.decode()
    assert "All connections of Acme are disabled, so the order cannot be pushed. Enable one of them." in page
    assert "See the connections" in page
    assert "Add a connection" not in page
    assert 'name="connection"' not in page


def test_a_retry_begins_with_the_connection_of_before_and_may_take_another(
    client: Client, connection: ERPConnection, organization: Organization, push: Push
) -> None:
    """A8. Also on the export's own page; once that connection is disabled, the default."""
    second = another(organization, "Second")
    export = push()
    ERPExport.objects.update(connection=second)
    ERPExport.objects.filter(pk=export.pk).move(ExportStatus.PENDING, ExportStatus.FAILED)
    DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
    for row in (export.draft_order, export):
        form = form_at(client, page_url(row), action=page_url(row, "do", "retry"))
        assert form.fields["connection"] == [str(second.pk)]
    ERPConnection.objects.filter(pk=second.pk).update(status="DISABLED")
    form = form_at(client, page_url(export), action=page_url(export, "do", "retry"))
    assert form.fields["connection"] == [str(connection.pk)]
    press(client, export, "retry", connection=connection.pk)
    assert ERPExport.objects.get(supersedes=export).connection == connection


@pytest.mark.parametrize("default", ["Folder", "Second", ""])
def test_a_retry_of_what_was_withdrawn_begins_with_the_default(
    default: str, client: Client, connection: ERPConnection, organization: Organization, push: Push
) -> None:
    """It was withdrawn because its connection does not work; without a default there is no better choice."""
    second = another(organization, "Second")
    export = push()
    ERPExport.objects.update(connection=second)
    export.refresh_from_db()
    withdraw.withdraw(export, actor="ops", reason="The server is gone")
    ERPConnection.objects.update(is_default=False)
    ERPConnection.objects.filter(name=default).update(is_default=True)
    expected = connection if default == "Folder" else second
    for row in (export.draft_order, export):
        form = form_at(client, page_url(row), action=page_url(row, "do", "retry"))
        assert form.fields["connection"] == [str(expected.pk)]


def test_many_without_a_default_are_told_where_to_choose(
    client: Client, connection: ERPConnection, make_order: MakeOrder
) -> None:
    """A8. Chosen in the list, and all of the list."""
    ERPConnection.objects.update(is_default=False)
    order = make_order()
    chosen = client.post(list_url(DraftOrder), {"action": "push", "_selected_action": [order.pk]})
    everything = client.get("/admin/orders/draftorder/all/push/")
    for page in (chosen.content.decode(), everything.content.decode()):
        assert "Acme has no default ERP connection." in page
        assert "own page offers all active" in page
        assert list_url(ERPConnection) in page
