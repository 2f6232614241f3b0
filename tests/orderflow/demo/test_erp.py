import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest

from orderflow.demo.erp.rules import RELEASE_TAKES_S, Decision, decide
from orderflow.demo.erp.server import Access, running_erp
from tests.orderflow.demo.conftest import sftp_client

NAME = "sales_order_0d9f_20261123T100000Z_0123abcd.json"
MANAGE = Path(__file__).parents[3] / "manage.py"


def document(customer: str = "ERNSH", qty: float = 5, unit_price: float = 9.8) -> bytes:
    line = {"line_no": 1, "internal_sku": "42", "qty": qty, "uom": "ST", "unit_price": unit_price, "currency": "EUR"}
    return json.dumps({"customer": {"erp_customer_number": customer}, "lines": [line]}).encode()


def drop(sftp: paramiko.SFTPClient, content: bytes, name: str = NAME) -> None:
    sftp.putfo(io.BytesIO(content), f"/in/{name}.tmp")
    sftp.rename(f"/in/{name}.tmp", f"/in/{name}")


def wait_for(path: Path, seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not appear; {sorted(p.name for p in path.parent.iterdir())}"
        time.sleep(0.02)
    return json.loads(path.read_bytes())


def test_a_good_order_is_taken_and_acknowledged(erp: Access, tmp_path: Path) -> None:
    with sftp_client(erp) as sftp:
        drop(sftp, document())
        answer = wait_for(tmp_path / "acks" / f"ack_{NAME}")
        assert sftp.listdir("/in") == []
        assert sftp.listdir("/acks") == [f"ack_{NAME}"]
    assert answer["status"] == "ACKED"
    assert answer["erp_order_id"].endswith("-000001")
    assert set(answer) == {"status", "erp_order_id", "processed_at"}
    assert (tmp_path / "taken" / NAME).read_bytes() == document()


def test_a_blocked_customer_is_refused_with_the_reason(erp: Access, tmp_path: Path) -> None:
    with sftp_client(erp) as sftp:
        drop(sftp, document(customer="RATTC"))
        answer = wait_for(tmp_path / "acks" / f"error_{NAME}")
    assert answer["status"] == "FAILED"
    assert answer["error_code"] == "ERP_VALIDATION"
    assert answer["message"] == "Customer RATTC is blocked: an invoice is overdue"


def test_a_large_order_is_answered_late(erp: Access, tmp_path: Path) -> None:
    with sftp_client(erp) as sftp:
        start = time.monotonic()
        drop(sftp, document(unit_price=5000))
        wait_for(tmp_path / "taken" / NAME)
        assert wait_for(tmp_path / "acks" / f"ack_{NAME}")["status"] == "ACKED"
    assert time.monotonic() - start >= RELEASE_TAKES_S


def test_a_half_written_order_is_left_alone(erp: Access, tmp_path: Path) -> None:
    with sftp_client(erp) as sftp:
        sftp.putfo(io.BytesIO(b'{"customer":'), f"/in/{NAME}.tmp")
        drop(sftp, document(), name=f"sales_order_other_{NAME}")
        wait_for(tmp_path / "acks" / f"ack_sales_order_other_{NAME}")
        assert sftp.listdir("/in") == [f"{NAME}.tmp"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"{}", b'{"customer": null}', b"[" * 100_000])
def test_what_is_no_order_is_refused_and_the_erp_goes_on(content: bytes) -> None:
    assert decide(content).error_code == "ERP_FORMAT"


def test_the_limits_themselves_are_allowed() -> None:
    assert decide(document(qty=70, unit_price=1)) == Decision()
    assert decide(document(qty=1, unit_price=2500)) == Decision()
    assert decide(document(qty=70.5, unit_price=1)).message == "Line 1: 70.5 of an item, and 70 is the most"


def test_another_user_or_another_key_is_refused(erp: Access) -> None:
    with pytest.raises(paramiko.AuthenticationException), sftp_client(erp, username="root"):
        pass
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(paramiko.AuthenticationException), sftp_client(replace(erp, private_key=stranger)):
        pass


def test_nothing_outside_its_folder_can_be_reached(erp: Access, tmp_path: Path) -> None:
    with sftp_client(erp) as sftp:
        assert sftp.normalize("/../..") == "/"
        assert sorted(sftp.listdir("/../../..")) == ["acks", "in", "taken"]


def test_every_start_has_fresh_keys(erp: Access, tmp_path: Path) -> None:
    with running_erp(tmp_path) as another:
        assert another.host_key != erp.host_key
        assert another.private_key != erp.private_key
        assert another.port != erp.port
    assert erp.private_key not in repr(erp)


def test_the_command_prints_how_to_reach_it_and_stops_when_told(tmp_path: Path) -> None:
    command = [sys.executable, str(MANAGE), "stand_in_erp", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().partition(":") for _ in range(5)]
        printed = {name: value.strip() for name, _, value in lines}
        try:
            key = Path(printed["private key"])
            port = int(printed["address"].rpartition(":")[2])
            access = Access(port=port, host_key=printed["host key"], private_key=key.read_text())
            with sftp_client(access) as sftp:
                assert sorted(sftp.listdir("/")) == ["acks", "client_key", "in", "taken"]
            assert key.stat().st_mode & 0o777 == 0o600
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
