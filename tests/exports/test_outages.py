"""Outages that look like a bad configuration end by themselves; what is really wrong blocks at its first sight."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from connectors import connection_service
from connectors.exceptions import TransientError
from connectors.models import ERPConnection
from connectors.sftp.pool import sessions
from exports import ack_poller, delivery
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push, connect_to, edit, names
from tests.servers.openssh import OpenSSHServer, openssh_server
from tests.servers.ports import free_port

# What `getaddrinfo` answers while the network is down, or the name server.
CODES = ["EAI_NONAME", "EAI_NODATA", "EAI_FAIL", "EAI_AGAIN"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSSHServer]:
    with openssh_server(tmp_path / "sshd") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


@pytest.fixture
def connection(organization: Organization, server: OpenSSHServer, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization, host="localhost")


Resolver = Callable[[str | None], None]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Sets what resolving comes to: the name of an error, or None for an address."""
    resolve = socket.getaddrinfo

    def set_error(name: str | None) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(getattr(socket, name or ""), "no")

        monkeypatch.setattr(socket, "getaddrinfo", fail if name else resolve)

    return set_error


def drain_later(connection: ERPConnection) -> None:
    """As if the waits of the schedule were over."""
    ERPExport.objects.filter(status="PENDING").update(next_attempt_at=timezone.now())
    ERPConnection.objects.update(paused_until=None)
    delivery.drain(connection.pk)


@pytest.mark.parametrize("code", CODES)
def test_a_known_host_that_is_not_found_is_an_outage(
    code: str, push: Push, connection: ERPConnection, server: OpenSSHServer, resolver: Resolver
) -> None:
    """F15, F18."""
    push()
    delivery.drain(connection.pk)
    sessions.close_all()
    resolver(code)
    export = push()
    delivery.drain(connection.pk)
    with pytest.raises(TransientError, match="localhost"):
        ack_poller.poll(connection.pk)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert (connection.blocked_at, export.status, export.tries) == (None, "PENDING", 1)
    assert export.next_attempt_at is not None
    assert "localhost" in export.error_message
    resolver(None)
    drain_later(connection)
    assert export.filename in names(server.root / "in")


def test_a_host_that_was_never_found_blocks(push: Push, connection: ERPConnection, resolver: Resolver) -> None:
    push()
    resolver("EAI_NONAME")
    delivery.drain(connection.pk)
    connection.refresh_from_db()
    assert "There is no host named localhost. Check the host" in connection.blocked_reason


def test_a_host_that_resolved_while_its_server_was_down_is_known(
    push: Push, connection: ERPConnection, resolver: Resolver
) -> None:
    """B16: the name is right, so a name server that denies it afterwards is an outage."""
    edit(connection, port=free_port())
    export = push()
    delivery.drain(connection.pk)
    connection.refresh_from_db()
    assert (connection.resolved_at is not None, connection.reached_at) == (True, None)
    resolver("EAI_NONAME")
    drain_later(connection)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert (connection.blocked_at, export.status, export.tries) == (None, "PENDING", 2)
    assert "is not found at present, and it was before" in export.error_message


def test_a_test_that_passed_makes_the_host_known(connection: ERPConnection, push: Push, resolver: Resolver) -> None:
    assert connection_service.test(connection, actor="test").success
    resolver("EAI_NONAME")
    push()
    delivery.drain(connection.pk)
    connection.refresh_from_db()
    assert connection.blocked_at is None


def test_a_test_of_edits_says_nothing_of_the_stored_host(
    connection: ERPConnection, server: OpenSSHServer, resolver: Resolver
) -> None:
    edits = {"host": "127.0.0.1", "private_key": server.private_key}
    assert connection_service.test(connection, actor="test", unsaved=edits).success
    connection.refresh_from_db()
    assert (connection.resolved_at, connection.reached_at) == (None, None)


def test_an_edited_host_counts_as_new(push: Push, connection: ERPConnection, resolver: Resolver) -> None:
    push()
    delivery.drain(connection.pk)
    edit(connection, host="ip6-localhost")
    resolver("EAI_NONAME")
    push()
    delivery.drain(connection.pk)
    connection.refresh_from_db()
    assert "There is no host named ip6-localhost" in connection.blocked_reason


def test_another_edit_leaves_the_host_known(push: Push, connection: ERPConnection) -> None:
    push()
    delivery.drain(connection.pk)
    edit(connection, timeout_s=9)
    connection.refresh_from_db()
    assert connection.reached_at is not None


def test_a_delivery_under_way_says_nothing_of_an_edited_host(connection: ERPConnection) -> None:
    config = connection.runtime_config()
    edit(connection, host="127.0.0.1")
    config["on_resolved"]()
    config["on_reached"]()
    config["on_login"]("password")
    connection.refresh_from_db()
    assert (connection.resolved_at, connection.reached_at, connection.login_first) == (None, None, "")


def test_a_known_server_that_starts_no_sftp_is_under_maintenance(
    push: Push, connection: ERPConnection, tmp_path: Path
) -> None:
    with openssh_server(tmp_path / "closed", extra="ForceCommand /bin/false") as there:
        for known in (False, True):
            edit(connection, host=there.host, port=there.port, host_key=there.host_key, private_key=there.private_key)
            if known:
                ERPConnection.objects.update(reached_at=timezone.now())
            ERPExport.objects.all().update(next_attempt_at=None)
            push()
            delivery.drain(connection.pk)
            connection.refresh_from_db()
            export = ERPExport.objects.first()
            assert export
            reason = export.error_message if known else connection.blocked_reason
            assert "starts no SFTP. Ask its operator" in reason
            assert (connection.blocked_at is None) == known
