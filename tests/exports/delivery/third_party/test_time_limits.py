"""A job has an end, whatever its server does."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.exceptions import TransientError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.delivery import drain
from exports.models import ERPExport, Lane
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push, connect_to
from tests.servers.proxies.stalling_proxy import Stalling, stalling_proxy
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server

LATE_S = 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSSHServer]:
    with openssh_server(tmp_path / "sshd") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


@pytest.fixture
def proxy(server: OpenSSHServer) -> Iterator[Stalling]:
    with stalling_proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def connection(
    proxy: Stalling, server: OpenSSHServer, organization: Organization, dropzone_root: Path, settings: Any
) -> ERPConnection:
    """Through the proxy; a session for each job."""
    settings.SFTP_IDLE_S = 0
    settings.JOB_LIMIT_S = 2
    return connect_to(server, organization, port=proxy.port, timeout_s=30)


def drip_after_log_in(proxy: Stalling, connection: ERPConnection) -> None:
    """A hundred bytes before the end of a poll that finds nothing; the server is never silent for long."""
    ack_poller.poll(connection.pk)
    proxy.allow, proxy.drip_s = proxy.passed - 100, 0.05


def test_a_delivery_to_a_server_that_drips_ends_with_the_job(
    push: Push, connection: ERPConnection, proxy: Stalling
) -> None:
    """F16, F17."""
    drip_after_log_in(proxy, connection)
    for _ in range(20):
        push()
    started = time.monotonic()
    drain.drain(connection.pk)
    assert time.monotonic() - started < 2 + LATE_S
    exports = ERPExport.objects.all()
    assert {(export.status, export.tries) for export in exports} == {("PENDING", 1)}
    lane = Lane.objects.get(connection=connection, kind=Lane.Kind.DELIVERY)
    assert lane.suspect
    assert lane.leased_until is None
    assert "too slow" in lane.last_error


def test_a_poll_of_a_server_that_drips_ends_with_the_job(connection: ERPConnection, proxy: Stalling) -> None:
    """F16."""
    drip_after_log_in(proxy, connection)
    started = time.monotonic()
    with pytest.raises(TransientError, match="too slow"):
        ack_poller.poll(connection.pk)
    assert time.monotonic() - started < 2 + LATE_S
