"""A connection to a server with faults, which a test adds and takes away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization
from tests.exports.conftest import connect_to
from tests.exports.faults.zone import Zone
from tests.servers.faulty.server import Fault, faulty_server


@pytest.fixture
def zone(tmp_path: Path, organization: Organization, dropzone_root: Path) -> Iterator[Zone]:
    faults: list[Fault] = []
    with faulty_server(tmp_path / "erp", faults) as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        connection = connect_to(server, organization, export_path="/in", ack_path="/acks", timeout_s=1)
        yield Zone(server=server, faults=faults, connection=connection)


@pytest.fixture
def connection(zone: Zone) -> ERPConnection:
    return zone.connection
