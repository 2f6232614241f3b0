from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.dropzones.form import SECRET_FIELDS
from connectors.models import ERPConnection
from exports import push_service
from exports.delivery import drain
from exports.models import ERPExport
from exports.push_service import PushRequest
from orderflow.celery import app
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.servers.sftp.sftp_server import SFTPServer

Push = Callable[..., ERPExport]


@pytest.fixture
def push(make_order: MakeOrder, connection: ERPConnection) -> Push:
    def push(order: DraftOrder | None = None, **fields: object) -> ERPExport:
        request = PushRequest(order=order or make_order(), actor="ops", connection=connection, **fields)  # type: ignore[arg-type]
        return push_service.push(request)

    return push


@pytest.fixture
def sent(push: Push, connection: ERPConnection) -> ERPExport:
    """An export that lies in the dropzone."""
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "SENT"
    return export


@pytest.fixture
def judged_at_once(settings: Any) -> None:
    """A file that cannot be read is moved at the second look."""
    settings.ACK_POLL_INTERVAL_S = 0


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The connections that messages name, the oldest message first."""
    queue: list[UUID] = []
    monkeypatch.setattr(app, "send_task", lambda _name, args: queue.append(UUID(args[0])))
    return queue


def connect_to(server: SFTPServer, organization: Organization, **config: object) -> ERPConnection:
    """A default connection into `in` behind an SFTP server, answers in `acks`."""
    login = {"password": server.password} if server.password else {"private_key": server.private_key}
    place = {"mode": "sftp", "host": server.host, "port": server.port, "username": server.username}
    folders = {"host_key": server.host_key, "export_path": "in", "ack_path": "acks", "timeout_s": 3}
    changes = ConnectionChanges(name="SFTP", is_default=True, config={**place, **login, **folders, **config})
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    return connection_service.save(row, changes, actor="test")


def edit(connection: ERPConnection, *, actor: str = "test", **config: object) -> None:
    """With the secrets entered again, which follow to no other server by themselves."""
    stored = connection.stored_config()
    secrets = {name: stored[name] for name in SECRET_FIELDS if stored[name]}
    changes = ConnectionChanges(config={**secrets, **config}, leave_acks=True)
    connection_service.save(connection, changes, actor=actor)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
