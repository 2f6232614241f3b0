"""One refused login is all that a server sees, whatever part of the product logs in first and next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from connectors.sftp.pool import sessions
from exports import ack_poller, push_service
from exports.delivery import cleanup, drain
from exports.models import ERPExport
from exports.push_service import PushRequest
from exports.reconciliation.reconcile import reconcile
from exports.reconciliation.run import Run
from exports.recovery.recover import recover
from exports.recovery.report import Report
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, edit
from tests.servers.sftp.asyncssh_server import PASSWORD, asyncssh_server
from tests.servers.sftp.login_server import EXPIRED, PASS, hang_up, login_server

# How each server refuses, and what is said of it.
SERVERS: dict[str, tuple[Any, str]] = {
    "expired": (partial(asyncssh_server, expired="Choose another one"), "the password of 'erp' has expired"),
    "hangs up": (partial(login_server, on_password=hang_up), "refused the password of user 'erp' and closed"),
    "expired, and lets in": (
        partial(login_server, says=EXPIRED, says_to=["exec"]),
        "the password of 'erp' has expired",
    ),
    "wrong": (partial(login_server, accepts=()), "refused the password of user 'erp'."),
}


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, tmp_path: Path) -> Iterator[Any]:
    start, _ = SERVERS[kind]
    with start(tmp_path / "erp") as server:
        yield server


@pytest.fixture
def connection(server: Any, organization: Organization, dropzone_root: Path) -> ERPConnection:
    server.password = PASSWORD
    connection = connect_to(server, organization)
    # It was let in before, and what may pass is then attempted again.
    ERPConnection.objects.update(reached_at=timezone.now(), resolved_at=timezone.now())
    connection.refresh_from_db()
    return connection


def _reconcile(connection: ERPConnection) -> None:
    now = timezone.now()
    list(reconcile(Run(connection=connection, since=now, until=now)))


def _poll(connection: ERPConnection) -> None:
    ack_poller.poll(connection.pk)


WAYS_IN: dict[str, Callable[[ERPConnection], Any]] = {
    "delivery": lambda connection: drain.drain(connection.pk),
    "poll": _poll,
    "tidying": lambda connection: cleanup.tidy_up(connection.pk),
    "reconcile": _reconcile,
    "recover": lambda _: recover(Report()),
}


@contextmanager
def _blocked() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        assert "refused" in str(error) or "expired" in str(error)  # noqa: PT017 - not every way in raises


@pytest.mark.parametrize("first", [*WAYS_IN, "test"])
def test_whatever_logs_in_first_nothing_else_offers_the_password_again(
    kind: str, first: str, server: Any, connection: ERPConnection, push: Push
) -> None:
    """F18."""
    push()
    if first == "test":
        assert not connection_service.test(connection, actor="test").success
    for way in [*([first] if first in WAYS_IN else []), *WAYS_IN]:
        with _blocked():
            WAYS_IN[way](ERPConnection.objects.select_related("organization").get())
    assert [what for method, what in server.attempts if method == "password"] == [PASSWORD]
    connection.refresh_from_db()
    assert SERVERS[kind][1] in connection.blocked_reason
    assert ERPExport.objects.get().status == "PENDING"


def test_a_test_of_edits_blocks_nothing(server: Any, connection: ERPConnection) -> None:
    edits = {"timeout_s": 9}
    assert not connection_service.test(connection, actor="test", unsaved=edits).success
    connection.refresh_from_db()
    assert connection.blocked_at is None


def test_a_server_refuses_one_of_two_credentials_once_and_never_again(
    organization: Organization, dropzone_root: Path, tmp_path: Path, make_order: MakeOrder
) -> None:
    """F18: each way in logs in anew."""
    with login_server(tmp_path / "erp", accepts=[PASS]) as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        connection = connect_to(server, organization, private_key=server.private_key)
        for _ in range(2):
            push_service.push(PushRequest(order=make_order(), actor="ops", connection=connection))
            for way in WAYS_IN.values():
                sessions.close_all()
                way(ERPConnection.objects.select_related("organization").get())
        assert len(server.attempts) >= 6
        assert server.refused == 1
        assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}
        edit(connection, username="erp", password="another one", private_key=server.private_key)
        connection.refresh_from_db()
        assert connection.login_first == ""
