"""Deliveries and polls of one connection share a log-in; nobody else does."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.delivery import drain
from exports.models import ERPExport
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, edit
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSSHServer]:
    with openssh_server(tmp_path / "sshd") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


@pytest.fixture
def connection(organization: Organization, server: OpenSSHServer, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization)


def log_ins(server: OpenSSHServer) -> int:
    return server.log().count("Accepted publickey")


def open_sessions() -> int:
    return sum(thread.name == "watchdog" for thread in threading.enumerate())


def deliver(push: Push, connection: ERPConnection) -> None:
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, [event.kind for event in export.events.all()]) == ("SENT", ["REQUESTED", "STAGED", "SENT"])


def test_deliveries_and_polls_log_in_once(push: Push, connection: ERPConnection, server: OpenSSHServer) -> None:
    for _ in range(4):
        deliver(push, connection)
    (export,) = ERPExport.objects.all()[:1]
    (server.root / "acks" / f"ack_{export.filename}").write_text('{"status": "ACKED", "erp_order_id": "SO-1"}')
    assert ack_poller.poll(connection.pk) == 1
    assert ack_poller.poll(connection.pk) == 0
    assert log_ins(server) == 1


def test_without_an_idle_time_each_delivery_logs_in(
    push: Push, connection: ERPConnection, server: OpenSSHServer, settings: Any
) -> None:
    settings.SFTP_IDLE_S = 0
    for _ in range(2):
        deliver(push, connection)
    assert (log_ins(server), open_sessions()) == (2, 0)


def test_two_organizations_on_one_account_log_in_each_for_itself(
    push: Push, connection: ERPConnection, server: OpenSSHServer, make_order: MakeOrder
) -> None:
    other = Organization.objects.create(name="Globex", slug="globex")
    theirs = connect_to(server, other)
    for _ in range(2):
        deliver(push, connection)
        push_service.push(PushRequest(order=make_order(tenant=other), actor="ops", connection=theirs))
        drain.drain(theirs.pk)
    assert ERPExport.objects.filter(status="SENT").count() == 4
    assert log_ins(server) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Another name"},
        {"config": {"timeout_s": 4}},
        {"config": {"host": "localhost"}},
        {"config": {"temp_name": "tmp_{name}"}},
    ],
    ids=str,
)
def test_after_an_edit_the_next_delivery_logs_in_anew(
    push: Push, connection: ERPConnection, server: OpenSSHServer, changes: dict[str, Any]
) -> None:
    deliver(push, connection)
    if "config" in changes:
        edit(connection, **changes["config"])
    else:
        connection_service.save(connection, ConnectionChanges(**changes), actor="test")
    deliver(push, connection)
    assert (log_ins(server), open_sessions()) == (2, 1)


def test_a_session_that_the_server_ended_costs_no_order_a_try(
    push: Push, connection: ERPConnection, server: OpenSSHServer
) -> None:
    for _ in range(3):
        deliver(push, connection)
        server.kill_sessions()
    assert log_ins(server) == 3


def test_a_disabled_connection_keeps_nothing_open(push: Push, connection: ERPConnection, server: OpenSSHServer) -> None:
    deliver(push, connection)
    push()
    connection_service.save(connection, ConnectionChanges(status="DISABLED"), actor="test")
    drain.drain(connection.pk)
    assert open_sessions() == 0
    # It still takes the answers to what went out before.
    ack_poller.poll(connection.pk)
    assert (log_ins(server), open_sessions()) == (2, 0)


def test_a_connection_that_blocks_itself_keeps_nothing_open(
    push: Push, connection: ERPConnection, server: OpenSSHServer
) -> None:
    deliver(push, connection)
    (server.root / "in").rename(server.root / "away")
    # A folder that worked may only be away; one that never did blocks.
    ERPConnection.objects.update(worked_at=None)
    push()
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert "in" in connection.blocked_reason
    assert open_sessions() == 0


def test_a_connection_that_was_blocked_elsewhere_keeps_nothing_open_here(push: Push, connection: ERPConnection) -> None:
    deliver(push, connection)
    push()
    ERPConnection.objects.update(blocked_at=connection.created_at, blocked_reason="The password was refused.")
    drain.drain(connection.pk)
    assert open_sessions() == 0


def test_a_test_of_the_connection_always_logs_in(push: Push, connection: ERPConnection, server: OpenSSHServer) -> None:
    deliver(push, connection)
    assert connection_service.test(connection, actor="test").success
    assert (log_ins(server), open_sessions()) == (2, 1)
