import os
import re
import socket
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from connectors.models import ERPConnection
from exports.push_service import PushRequest, push
from orderflow.demo import environment
from orderflow.demo.console import Screen
from orderflow.demo.erp.server import Access
from orderflow.demo.lock import fresh_folder
from orderflow.demo.run import Demo
from orderflow.demo.services import listen
from orderflow.demo.subprocesses import ChildDied, Children
from tests.conftest import MakeOrder
from tests.support.product.configuration_page import SETTINGS

# Settings that say how fast or how talkative a demo is, not what it reaches; DATA_DIR is where it makes its folder.
HARMLESS = (
    "ACK_POLL_IDLE_INTERVAL_S ALERT_DIGEST_S CONNECTION_TEST_LIMIT_S DATA_DIR DELIVERY_BATCH_LINES DELIVERY_BATCH_SIZE "
    "DELIVERY_SLICE_S FAILING_EXPORTS JOB_LIMIT_S JOURNAL_KEEP_DAYS IDEMPOTENCY_KEEP_H LANES_PER_ORGANIZATION LEASE_S "
    "LOG_LEVEL RATE_CONNECTION_TEST RATE_CONNECTION_TEST_ORGANIZATION RATE_LOGIN RATE_LOGIN_ADDRESS RATE_PUSH "
    "RATE_PUSH_ORGANIZATION SFTP_IDLE_S SUSPECT_LANES SWEEP_OVERDUE_S TIME_ZONE TOKEN_TTL_DAYS "
    "MIGRATION_LOCK_TIMEOUT_S WEBHOOK_SECRET_OVERLAP_H WEBHOOK_SENDERS "
    "WORKER_CONCURRENCY"
).split()


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    copy = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}
    monkeypatch.setattr(os, "environ", copy)
    return copy


def test_nothing_of_the_installation_reaches_the_demo(environ: dict[str, str], tmp_path: Path) -> None:
    """S18."""
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', SETTINGS))
    assert "REDIS_CA_FILE" in names
    for name in names.difference(HARMLESS):
        environ |= {name: "the installation's", f"{name}_FILE": "the installation's"}
    environment.enter()
    assert [name for name, value in environ.items() if value == "the installation's"] == []
    assert environ["DATA_DIR"] == str(tmp_path / "demo")
    assert environ["ENV_FILE"] == str(tmp_path / "demo" / ".env")


def test_every_demo_has_fresh_keys_that_only_its_owner_reads(environ: dict[str, str], tmp_path: Path) -> None:
    """S18."""
    environment.enter()
    first = dict(environ)
    environ["DATA_DIR"] = str(tmp_path)
    environment.enter()
    assert environ["SECRET_KEY"] != first["SECRET_KEY"]
    assert environ["ENCRYPTION_MASTER_KEY"] != first["ENCRYPTION_MASTER_KEY"]
    (tmp_path / "demo").mkdir()
    environment.write_env_file()
    file = tmp_path / "demo" / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"SECRET_KEY={environ['SECRET_KEY']}\n" in file.read_text()


def test_the_command_refuses_to_run_on_the_installation_itself() -> None:
    with pytest.raises(CommandError, match=r"manage\.py demo"):
        call_command("demo")


def test_only_the_demos_own_folder_is_emptied(tmp_path: Path) -> None:
    for name in ("demo/old", "data"):
        (tmp_path / name).mkdir(parents=True)
    with fresh_folder(tmp_path / "demo"):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "demo", "demo.lock"]
        assert not list((tmp_path / "demo").iterdir())


def test_a_second_demo_in_the_folder_says_how_to_end_the_first(tmp_path: Path) -> None:
    first, second = fresh_folder(tmp_path / "demo"), fresh_folder(tmp_path / "demo")
    with first, pytest.raises(CommandError, match=rf"already.*`kill {os.getpid()}`"), second:
        pass
    with fresh_folder(tmp_path / "demo"):
        pass


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} cannot be used: Address already in use"):
            listen(port)


def test_the_web_process_is_not_reachable_from_outside() -> None:
    """S18."""
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_child_that_ignores_its_end_is_killed_with_its_own_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.demo.subprocesses.STOP_WITHIN_S", 0.5)
    (tmp_path / "stubborn.py").write_text(
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with fresh_folder(tmp_path / "demo") as lock, Children(tmp_path / "demo", lock) as children:
        children.start("stubborn", "stubborn")
        while children.log("stubborn").read_text().count("up") < 2:
            children.check()
            time.sleep(0.02)
    # Both inherited the lock: it is free only when both are gone.
    with fresh_folder(tmp_path / "demo"):
        pass


def test_a_child_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "demo") as lock, Children(tmp_path / "demo", lock) as children:
        children.start("worker", "no_such_module")
        while not children.log("worker").read_text().endswith("no_such_module\n"):
            time.sleep(0.02)
        time.sleep(0.5)
        with pytest.raises(ChildDied, match=r"(?s)worker process ended with code 1.*No module named no_such_module"):
            children.check()


def test_orders_without_an_answer_in_time_are_counted(
    tmp_path: Path, connection: ERPConnection, make_order: MakeOrder
) -> None:
    push(PushRequest(order=make_order(), actor="test"))
    with fresh_folder(tmp_path / "demo") as lock, Children(tmp_path / "demo", lock) as children:
        demo = Demo(
            folder=tmp_path / "demo",
            access=Access(port=0, host_key="", private_key=""),
            children=children,
            screen=Screen(),
            port=0,
        )
        with demo.screen.bars(1) as bars, pytest.raises(CommandError, match="1 order is without an answer after 120 s"):
            demo._watch(connection.organization, bars, time.monotonic())
