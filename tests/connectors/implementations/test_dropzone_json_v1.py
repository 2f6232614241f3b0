import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage, Storage

from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from tests.connectors.contract import ConnectorContract
from tests.connectors.sales_orders import ORDER
from tests.servers.openssh import OpenSSHServer


@pytest.fixture
def connector() -> DropzoneJsonV1Connector:
    return DropzoneJsonV1Connector(InMemoryStorage())


class TestOnAFolder(ConnectorContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        for name in ("in", "acks"):
            (tmp_path / name).mkdir()
        return {"mode": "filesystem", "root": str(tmp_path), "export_path": "in", "ack_path": "acks"}

    def arrived(self, config: dict[str, Any]) -> dict[str, bytes]:
        return contents(Path(config["root"]) / "in")


class TestOnOpenSSH(ConnectorContract):
    @pytest.fixture
    def config(self, shared_openssh: OpenSSHServer, tmp_path: Path) -> dict[str, Any]:
        server, folder = shared_openssh, shared_openssh.root / tmp_path.name
        for name in ("in", "acks"):
            (folder / name).mkdir(parents=True)
        return {
            "mode": "sftp",
            "host": server.host,
            "port": server.port,
            "username": server.username,
            "private_key": server.private_key,
            "host_key": server.host_key,
            "export_path": str(folder / "in"),
            "ack_path": str(folder / "acks"),
            "timeout_s": 10,
        }

    def arrived(self, config: dict[str, Any]) -> dict[str, bytes]:
        return contents(Path(config["export_path"]))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def mock_storage() -> Storage:
    return InMemoryStorage()


draft_order = ORDER
config = {"mode": "filesystem", "export_path": tempfile.gettempdir()}


def test_export_generates_json(mock_storage: Storage) -> None:
    connector = DropzoneJsonV1Connector(mock_storage)
    result = connector.export(draft_order, config)

    assert result.success
    assert result.export_id is not None
    assert result.storage_key is not None
    assert result.storage_key.startswith("exports/")
    dropped = Path(result.connector_metadata["dropzone_path"])
    with mock_storage.open(result.storage_key) as copy:
        assert copy.read() == dropped.read_bytes()
    dropped.unlink()


def test_a_storage_that_is_down_costs_the_copy_and_not_the_order(tmp_path: Path) -> None:
    """F27."""

    class Down(InMemoryStorage):
        def save(self, *_args: object, **_kwargs: object) -> str:
            raise OSError("no storage")

    result = DropzoneJsonV1Connector(Down()).export(ORDER, {**config, "export_path": str(tmp_path)})
    assert (result.success, result.storage_key) == (True, None)
    assert len(list(tmp_path.iterdir())) == 1
