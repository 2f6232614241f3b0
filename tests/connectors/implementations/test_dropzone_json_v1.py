import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage, Storage

from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from tests.connectors.contract import ConnectorContract
from tests.connectors.implementations.conftest import Ground
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
