"""A connector's two folders, reached in every way that there is."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage

from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from tests.conftest import SharedServer
from tests.servers.sftp import every


@dataclass(frozen=True, kw_only=True)
class Ground:
    """`orders` and `acks` are the folders of `config`, where the ERP finds and leaves files."""

    config: dict[str, Any]
    orders: Path
    acks: Path

    def arrived(self) -> dict[str, bytes]:
        return contents(self.orders)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def connector() -> DropzoneJsonV1Connector:
    return DropzoneJsonV1Connector(InMemoryStorage())


@pytest.fixture(params=["folder", *every.PARAMS])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    if request.param == "folder":
        return folder_ground(tmp_path)
    shared_server: SharedServer = request.getfixturevalue("shared_server")
    server = shared_server(request.param)
    config = {
        "mode": "sftp",
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "private_key": server.private_key,
        "host_key": server.host_key,
        "timeout_s": 10,
    }
    # The server is shared by many tests, the folder is not.
    return _ground(config, server.root, f"{secrets.token_hex(6)}/")


def folder_ground(root: Path) -> Ground:
    return _ground({"mode": "filesystem", "root": str(root)}, root, "")


def _ground(config: dict[str, Any], root: Path, prefix: str) -> Ground:
    paths = {"export_path": f"{prefix}in", "ack_path": f"{prefix}acks"}
    orders, acks = (root / path for path in paths.values())
    for folder in (orders, acks):
        folder.mkdir(parents=True)
    return Ground(config=config | paths, orders=orders, acks=acks)
