"""Connectors of packages of their own, in an installation with real workers."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.connector_packages import EXAMPLE, MISBEHAVING, installed_package
from tests.support.installation import ROOT, Installation, eventually, installed

FAULTS = [
    "NO_RESULT", "TWO_RESULTS", "UNKNOWN_EXPORT", "GARBAGE", "FLAGS", "KEY_ERROR", "EXIT", "LATE_ERROR",
    "LOST_RESPONSE", "HANGS", "DIES",
]  # fmt: skip


def connect(site: Installation, connector_type: str, config: dict[str, Any]) -> str:
    body = {"name": connector_type, "connector_type": connector_type, "config": config}
    return str(site.post("erp-connections/", body)["id"])


def push(site: Installation, number: str, connection: str) -> str:
    """A new order over the connection; its export."""
    line = {"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2}
    customer = {"erp_customer_number": "ERNSH", "name": "Ernst Handel"}
    body = {"external_order_number": number, "currency": "EUR", "customer": customer, "lines": [line]}
    order = site.post("draft-orders/", body)["id"]
    site.post(f"draft-orders/{order}/approve/")
    return str(site.post(f"draft-orders/{order}/push/", {"connection": connection})["erp_export_id"])


@pytest.mark.timeout(180)
def test_the_guides_connector_delivers_an_order_and_reads_its_ack(tmp_path: Path) -> None:
    package = installed_package(EXAMPLE, tmp_path / "package")
    folder = tmp_path / "dropzones" / "acme"
    for name in ("in/07", "acks"):
        (folder / name).mkdir(parents=True)
    settings = {"DROPZONE_ROOT": str(tmp_path / "dropzones"), "PYTHONPATH": f"{package}:{ROOT}"}
    with installed(tmp_path / "site", settings) as site:
        config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks", "company": "7"}
        new = {"name": "Acme", "connector_type": "ACME_CSV", "config": config}
        status, problem = site.call("POST", "erp-connections/", new)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/config/company")
        connection = connect(site, "ACME_CSV", {**config, "company": "07"})
        assert site.post(f"erp-connections/{connection}/test/")["success"]

        export = push(site, "PO-10258", connection)
        sent = eventually(
            lambda: (found := site.get(f"exports/{export}/"))["status"] == "SENT" and found, within_s=30, what="SENT"
        )
        file = folder / "in" / "07" / sent["filename"]
        assert sent["dropzone_path"] == f"in/07/{file.name}"
        assert file.read_bytes() == (
            b"order;customer;line;sku;quantity;unit;price;currency\r\nPO-10258;ERNSH;1;2;50.000;ST;15.2000;EUR\r\n"
        )
        (folder / "acks" / f"{file.name}.ok").write_text("SO-77\n")
        eventually(lambda: site.get(f"exports/{export}/")["status"] == "ACKED", within_s=30, what="ACKED")
        assert site.get(f"exports/{export}/")["erp_order_id"] == "SO-77"


@pytest.mark.timeout(400)
def test_no_misbehaviour_sends_an_order_twice_and_each_is_shown(tmp_path: Path) -> None:
    """F35."""
    package = installed_package(MISBEHAVING, tmp_path / "package")
    ledger = tmp_path / "ledger"
    ledger.touch()
    settings = {"PYTHONPATH": f"{package}:{ROOT}", "JOB_LIMIT_S": "3", "LANES_PER_ORGANIZATION": "20"}
    with installed(tmp_path / "site", settings) as site:
        exports = {}
        for fault in FAULTS:
            connection = connect(site, f"BAD_{fault}", {"ledger": str(ledger)})
            exports[push(site, fault, connection)] = connection
        undecided = eventually(lambda: _undecided(site, len(FAULTS)), within_s=150, what="a decision for each")
        assert {row["id"] for row in undecided} == exports.keys()

        # A person frees each connection, and every lane gets more turns.
        for connection in list(exports.values()):
            assert site.post(f"erp-connections/{connection}/test/")["success"]
            healthy = push(site, f"again {connection}", connection)
            exports[healthy] = connection
        eventually(lambda: _undecided(site, len(exports)), within_s=150, what="a decision for each")
        assert Counter(ledger.read_text().split()) == Counter(exports.keys())
        for export in exports:
            shown = site.get(f"exports/{export}/")
            assert (shown["status"], shown["undecided_since"] is not None) == ("PENDING", True)
            assert "mark this export as delivered or not delivered" in shown["error_message"]
            assert [event["kind"] for event in shown["events"]].count("UNDECIDED") == 1


def _undecided(site: Installation, count: int) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = site.get("exports/?undecided=true&page_size=100")["results"]
    return rows if len(rows) == count else None
