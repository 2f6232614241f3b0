"""What a connection's page knows of its folders and exports."""

from pathlib import Path

import pytest
from django.test import Client

from connectors.admin.columns import state_of
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import list_url, log_in, page_url

BUTTON = "Create the folders"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.INTEGRATOR)


def connected(organization: Organization, **config: str) -> ERPConnection:
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    values = {"mode": "filesystem", "export_path": "erp/in", "ack_path": "erp/acks", **config}
    return connection_service.save(row, ConnectionChanges(name="ERP", config=values), actor="test")


def press(client: Client, connection: ERPConnection) -> str:
    return client.post(page_url(connection, "do", "make_folders"), follow=True).content.decode()


def test_missing_folders_are_created_by_a_button(
    client: Client, organization: Organization, dropzone_root: Path
) -> None:
    """A8. Below the organization's own folder; the connection works then."""
    connection = connected(organization)
    page = client.get(page_url(connection)).content.decode()
    assert "The server has no folder erp/in and no folder erp/acks of Acme yet." in page
    assert BUTTON in page
    assert "ERP: created erp/in, erp/acks. Test the connection now." in press(client, connection)
    assert [path.is_dir() for path in (dropzone_root / "acme/erp/in", dropzone_root / "acme/erp/acks")] == [True, True]
    assert connection_service.test(connection, actor="test").success
    entry = AuditEntry.objects.get(action="create folders")
    assert entry.detail == {"folders": "erp/in, erp/acks"}
    assert BUTTON not in client.get(page_url(connection)).content.decode()
    assert "no folder is missing." in press(client, connection)


def test_a_delivery_shows_that_a_connection_works(connection: ERPConnection, folder: Path, push: Push) -> None:
    """Untested, and after a test that failed."""
    for failed in (False, True):
        if failed:
            (folder / "in").rename(folder / "away")
            assert not connection_service.test(connection, actor="test").success
            (folder / "away").rename(folder / "in")
        connection.refresh_from_db()
        assert connection.works_since is None
        assert state_of(connection)[0] == ("Last test failed" if failed else "Not tested yet")
        push()
        drain.drain(connection.pk)
        connection.refresh_from_db()
        assert state_of(connection) == ("Active", "success")


def test_a_folder_outside_is_not_created(client: Client, organization: Organization, dropzone_root: Path) -> None:
    """S7. By a link, and through a file."""
    connection = connected(organization, export_path="link/in", ack_path="")
    (dropzone_root / "acme").mkdir(parents=True)
    (dropzone_root / "outside").mkdir()
    (dropzone_root / "acme" / "link").symlink_to(dropzone_root / "outside")
    assert "ERP: " in press(client, connection)
    assert list((dropzone_root / "outside").iterdir()) == []


def test_after_the_first_push_a_missing_folder_is_nobodys_to_create(
    client: Client, connection: ERPConnection, folder: Path, push: Push
) -> None:
    """It may be a share that is not mounted, and a staged order may lie on it."""
    push()
    (folder / "in").rmdir()
    page = client.get(page_url(connection)).content.decode()
    assert BUTTON not in page
    assert f"{list_url(ERPExport)}?connection__id__exact={connection.pk}" in page
    assert "may be a share that is not mounted" in press(client, connection)
    assert not (folder / "in").exists()


def test_a_folder_that_another_connection_staged_an_order_in_is_nobodys_to_create(
    client: Client, organization: Organization, connection: ERPConnection, folder: Path, push: Push
) -> None:
    """F32: a share that is not mounted. Its folder made anew would look as if the ERP had taken the order."""
    export = push()
    ERPExport.objects.filter(pk=export.pk).update(staged_path=f"file://{folder}/in/.{export.filename}.tmp")
    (folder / "in").rmdir()
    beside = connected(organization, export_path="in", ack_path="")
    assert BUTTON not in client.get(page_url(beside)).content.decode()
    assert "may be a share that is not mounted" in press(client, beside)
    assert not (folder / "in").exists()


def test_a_servers_folders_are_created_on_the_server(client: Client, organization: Organization) -> None:
    sftp = {"mode": "sftp", "host": "sftp.acme.example", "username": "erp", "password": "x", "export_path": "/in"}
    connection = connected(organization, **sftp)
    assert BUTTON not in client.get(page_url(connection)).content.decode()
    assert "It leads to a server. Create its folders there." in press(client, connection)


def test_only_who_may_edit_the_connection_creates_folders(organization: Organization, dropzone_root: Path) -> None:
    """S14."""
    connection = connected(organization)
    client = log_in(organization, Role.OPS)
    assert BUTTON not in client.get(page_url(connection)).content.decode()
    assert client.post(page_url(connection, "do", "make_folders")).status_code == 403
    assert not dropzone_root.exists()
