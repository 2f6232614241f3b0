import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.core.files.storage import InMemoryStorage, Storage

from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.ports import AckInbox
from tests.connectors.contract import ConnectorContract
from tests.connectors.implementations.conftest import Ground, folder_ground
from tests.connectors.sales_orders import ORDER


class TestContract(ConnectorContract):
    @pytest.fixture
    def config(self, ground: Ground) -> dict[str, Any]:
        self.ground = ground
        return ground.config

    def unusable(self, config: dict[str, Any]) -> dict[str, Any]:
        return {**config, "export_path": "nowhere"}

    def arrived(self, _config: dict[str, Any]) -> dict[str, bytes]:
        return self.ground.arrived()

    def ack_name(self, filename: str) -> str:
        return f"ack_{filename}"

    def acknowledge(self, _config: dict[str, Any], name: str, content: bytes) -> None:
        (self.ground.acks / name).write_bytes(content)


class ReadingOnly(DropzoneJsonV1Connector):
    """With an inbox as the port was before it could tell of other files."""

    @contextmanager
    def open_inbox(self, config: Mapping[str, Any]) -> Iterator[AckInbox]:
        with super().open_inbox(config) as inbox:
            methods = {name: getattr(inbox, name) for name in ("entries", "read", "parse", "archive")}
            yield cast("AckInbox", SimpleNamespace(**methods))


class TestContractOfAnInboxThatReadsOnly(TestContract):
    @pytest.fixture
    def connector(self) -> ReadingOnly:
        return ReadingOnly(InMemoryStorage())

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        self.ground = folder_ground(tmp_path)
        return self.ground.config


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
