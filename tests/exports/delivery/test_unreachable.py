"""Servers that are not there, or say no: what the export, the connection and the history show."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, edit
from tests.servers.ports import free_port
from tests.servers.sftp.openssh import OpenSSHServer, generate_key, openssh_server


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with openssh_server(tmp_path / "sshd") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


@pytest.fixture
def connection(organization: Organization, server: OpenSSHServer, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization)


Change = Callable[..., None]


@pytest.fixture
def change(connection: ERPConnection) -> Change:
    return partial(edit, connection)


def arrived(server: OpenSSHServer) -> list[str]:
    return sorted(path.name for path in (server.root / "in").iterdir())


def test_an_order_reaches_a_real_server(push: Push, connection: ERPConnection, server: OpenSSHServer) -> None:
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, arrived(server)) == ("SENT", [export.filename])


def test_a_server_that_is_not_there_is_tried_again_later(
    push: Push, connection: ERPConnection, change: Change, server: OpenSSHServer
) -> None:
    export = push()
    change(port=free_port())
    drain.drain(connection.pk)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.tries, connection.blocked_at) == ("PENDING", 1, None)
    assert export.next_attempt_at is not None
    assert 8 <= (export.next_attempt_at - timezone.now()).total_seconds() <= 11
    assert "127.0.0.1" in export.error_message
    event = export.events.last()
    assert event is not None
    assert (event.kind, event.detail["try"]) == ("RETRY", 1)

    change(port=server.port)
    ERPExport.objects.update(next_attempt_at=timezone.now())
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.tries, export.error_message) == ("SENT", 2, "")


def test_three_outages_in_a_row_pause_the_lane(push: Push, connection: ERPConnection, change: Change) -> None:
    change(port=free_port())
    push()
    for _ in range(3):
        ERPExport.objects.update(next_attempt_at=None)
        drain.drain(connection.pk)
    connection.refresh_from_db()
    assert connection.paused_until is not None
    ERPExport.objects.update(next_attempt_at=None)
    drain.drain(connection.pk)
    assert ERPExport.objects.get().tries == 3


def test_after_the_last_try_the_order_fails_with_the_reason(
    push: Push, connection: ERPConnection, change: Change
) -> None:
    export = push()
    change(port=free_port())
    ERPExport.objects.update(tries=7)
    drain.drain(connection.pk)
    export.refresh_from_db()
    export.draft_order.refresh_from_db()
    assert (export.status, export.draft_order.status) == ("FAILED", "ERROR")
    assert export.draft_order.error_message == export.error_message != ""


def test_a_refused_login_blocks_and_is_not_repeated(
    push: Push, connection: ERPConnection, change: Change, server: OpenSSHServer, tmp_path: Path
) -> None:
    """F18."""
    export = push()
    change(private_key=generate_key(tmp_path / "other_key"))
    for _ in range(3):
        drain.drain(connection.pk)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", 0)
    assert server.username in connection.blocked_reason
    assert server.log().count("Failed publickey") == 1
    assert [event.kind for event in export.events.all()] == ["REQUESTED", "BLOCKED"]

    change(private_key=server.private_key)
    drain.drain(connection.pk)
    assert arrived(server) == [export.filename]


def test_a_changed_host_key_blocks_before_the_login(
    push: Push, connection: ERPConnection, change: Change, server: OpenSSHServer, tmp_path: Path
) -> None:
    """F19, S5."""
    export = push()
    generate_key(tmp_path / "other_host")
    change(host_key=" ".join((tmp_path / "other_host.pub").read_text().split()[:2]))
    drain.drain(connection.pk)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert export.status == "PENDING"
    assert connection.blocked_reason.count("SHA256:") == 2
    assert [event.message for event in export.events.filter(kind="BLOCKED")] == [connection.blocked_reason]
    assert "Accepted" not in server.log()
    assert "Failed" not in server.log()


def test_one_dead_server_does_not_hold_up_another(
    make_order: MakeOrder, push: Push, connection: ERPConnection, change: Change, organization: Organization
) -> None:
    export = push()
    change(port=free_port())
    folder = connection.runtime_config()["root"]
    (Path(folder) / "in").mkdir(parents=True)
    healthy = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    config = {"mode": "filesystem", "export_path": "in"}
    connection_service.save(healthy, ConnectionChanges(name="Folder", config=config), actor="test")
    other = push()
    ERPExport.objects.filter(pk=other.pk).update(connection=healthy)
    for pk in (connection.pk, healthy.pk):
        drain.drain(pk)
    assert set(ERPExport.objects.values_list("pk", "status")) == {(export.pk, "PENDING"), (other.pk, "SENT")}
