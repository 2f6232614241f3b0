from pathlib import Path
from typing import Any

import pytest
from acme_connector.connector import AcmeCsvConnector
from django.core.files.storage import InMemoryStorage

from connectors.ports import AckOutcome
from connectors.testing import ORDER, ConnectorContract


@pytest.fixture
def connector() -> AcmeCsvConnector:
    return AcmeCsvConnector(InMemoryStorage())


class TestContract(ConnectorContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        self.folder = tmp_path / "in" / "07"
        self.folder.mkdir(parents=True)
        (tmp_path / "acks").mkdir()
        folders = {"export_path": "in", "ack_path": "acks"}
        return {"mode": "filesystem", "root": str(tmp_path), **folders, "company": "07"}

    def arrived(self, config: dict[str, Any]) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def unusable(self, config: dict[str, Any]) -> dict[str, Any]:
        return {**config, "company": "08"}

    def ack_name(self, filename: str) -> str:
        return f"{filename}.ok"

    def acknowledge(self, config: dict[str, Any], name: str, content: bytes) -> None:
        (Path(config["root"]) / "acks" / name).write_bytes(content)


def test_a_document(connector: AcmeCsvConnector) -> None:
    assert connector.render_content(ORDER).decode() == (
        "order;customer;line;sku;quantity;unit;price;currency\r\nPO-10258;TOMSP;1;2;50.000;ST;15.2000;EUR\r\n"
    )


def test_an_ack(connector: AcmeCsvConnector) -> None:
    assert connector.parse_answer("order_x.csv.ok", b"SO-77\n").erp_order_id == "SO-77"
    assert connector.parse_answer("order_x.csv.err", b"No such SKU").outcome is AckOutcome.FAILED
