"""An order's way there and back, over every server."""

import json
from pathlib import Path

import pytest

from connectors.models import ERPConnection
from exports import ack_poller
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from tests.conftest import SharedServer
from tests.exports.conftest import Push, connect_to, names
from tests.servers.sftp import every
from tests.servers.sftp.sftp_server import SFTPServer


@pytest.fixture(params=every.PARAMS)
def server(request: pytest.FixtureRequest, shared_server: SharedServer) -> SFTPServer:
    return shared_server(request.param)


@pytest.fixture
def place(server: SFTPServer, tmp_path: Path) -> Path:
    place = server.root / tmp_path.name
    for name in ("in", "acks"):
        (place / name).mkdir(parents=True)
    return place


@pytest.fixture
def connection(server: SFTPServer, place: Path, organization: Organization, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization, export_path=f"{place.name}/in", ack_path=f"{place.name}/acks")


def test_orders_go_and_answers_come(push: Push, connection: ERPConnection, place: Path) -> None:
    exports = [push() for _ in range(3)]
    drain.drain(connection.pk)
    assert names(place / "in") == sorted(export.filename for export in exports)
    for export in exports:
        answer = {"status": "ACKED", "erp_order_id": export.filename[-13:-5]}
        (place / "acks" / f"ack_{export.filename}").write_text(json.dumps(answer))
    assert ack_poller.poll(connection.pk) == 3
    for export in ERPExport.objects.all():
        assert (export.status, export.erp_order_id) == ("ACKED", export.filename[-13:-5])
    assert names(place / "acks") == ["processed"]
    assert ack_poller.poll(connection.pk) == 0
