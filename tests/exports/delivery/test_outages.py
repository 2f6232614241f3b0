"""Outages that look like a bad configuration end by themselves; what is really wrong blocks at its first sight."""

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.dropzones import settings as config
from connectors.dropzones.backends.base import Move
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConnectorError, TransientError
from connectors.models import ERPConnection
from connectors.sftp.pool import sessions
from exports import ack_poller, push_service
from exports.delivery import drain
from exports.models import ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, edit, names
from tests.servers.ports import free_port
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server

# What `getaddrinfo` answers while the network is down, or the name server.
CODES = ["EAI_NONAME", "EAI_NODATA", "EAI_FAIL", "EAI_AGAIN"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSSHServer]:
    with openssh_server(tmp_path / "sshd") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        yield server


@pytest.fixture
def connection(organization: Organization, server: OpenSSHServer, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization, host="localhost")


Resolver = Callable[[str | None], None]
# A connection, and the folder above its two.
Place = tuple[ERPConnection, Path]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Sets what resolving comes to: the name of an error, or None for an address."""
    resolve = socket.getaddrinfo

    def set_error(name: str | None) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(getattr(socket, name or ""), "no")

        monkeypatch.setattr(socket, "getaddrinfo", fail if name else resolve)

    return set_error


def drain_later(connection: ERPConnection) -> None:
    """As if the waits of the schedule were over."""
    ERPExport.objects.filter(status="PENDING").update(next_attempt_at=timezone.now())
    ERPConnection.objects.update(paused_until=None)
    drain.drain(connection.pk)


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Sets the address that every name leads to; None for its own."""
    resolve = socket.getaddrinfo

    def set_address(address: str | None) -> None:
        def found(_host: str, port: int, **_: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", found if address else resolve)

    return set_address


def meets_an_outage(push: Push, connection: ERPConnection) -> ERPExport:
    """A delivery and a poll fail, and nothing blocks: the new export waits for its next attempt."""
    export = push()
    drain.drain(connection.pk)
    with pytest.raises(TransientError, match="localhost"):
        ack_poller.poll(connection.pk)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert (connection.blocked_at, export.status, export.tries) == (None, "PENDING", 1)
    return export


@pytest.mark.parametrize("code", CODES)
def test_a_known_host_that_is_not_found_is_an_outage(
    code: str, push: Push, connection: ERPConnection, server: OpenSSHServer, resolver: Resolver
) -> None:
    """F15, F18."""
    push()
    drain.drain(connection.pk)
    sessions.close_all()
    resolver(code)
    export = meets_an_outage(push, connection)
    assert export.next_attempt_at is not None
    assert "localhost" in export.error_message
    resolver(None)
    drain_later(connection)
    assert export.filename in names(server.root / "in")


def test_a_host_that_was_never_found_blocks(push: Push, connection: ERPConnection, resolver: Resolver) -> None:
    push()
    resolver("EAI_NONAME")
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert "There is no host named localhost. Check the host" in connection.blocked_reason


def test_a_host_that_resolved_while_its_server_was_down_is_known(
    push: Push, connection: ERPConnection, resolver: Resolver
) -> None:
    """B16: the name is right, so a name server that denies it afterwards is an outage."""
    edit(connection, port=free_port())
    export = push()
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert (connection.resolved_at is not None, connection.reached_at) == (True, None)
    resolver("EAI_NONAME")
    drain_later(connection)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert (connection.blocked_at, export.status, export.tries) == (None, "PENDING", 2)
    assert "is not found at present, and it was before" in export.error_message


def test_a_test_that_passed_makes_the_host_known(connection: ERPConnection, push: Push, resolver: Resolver) -> None:
    assert connection_service.test(connection, actor="test").success
    resolver("EAI_NONAME")
    push()
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert connection.blocked_at is None


def test_a_test_of_edits_says_nothing_of_the_stored_host(
    connection: ERPConnection, server: OpenSSHServer, resolver: Resolver
) -> None:
    edits = {"host": "127.0.0.1", "private_key": server.private_key}
    assert connection_service.test(connection, actor="test", unsaved=edits).success
    connection.refresh_from_db()
    assert (connection.resolved_at, connection.reached_at) == (None, None)


def test_an_edited_host_counts_as_new(push: Push, connection: ERPConnection, resolver: Resolver) -> None:
    push()
    drain.drain(connection.pk)
    edit(connection, host="ip6-localhost")
    resolver("EAI_NONAME")
    push()
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert "There is no host named ip6-localhost" in connection.blocked_reason


def test_another_edit_leaves_the_host_known(push: Push, connection: ERPConnection) -> None:
    push()
    drain.drain(connection.pk)
    edit(connection, timeout_s=9)
    connection.refresh_from_db()
    assert connection.reached_at is not None


def test_a_delivery_under_way_says_nothing_of_an_edited_host(connection: ERPConnection) -> None:
    config = connection.runtime_config()
    edit(connection, host="127.0.0.1")
    config["on_resolved"]()
    config["on_reached"]()
    config["on_login"]("password")
    connection.refresh_from_db()
    assert (connection.resolved_at, connection.reached_at, connection.login_first) == (None, None, "")


def test_a_known_server_that_starts_no_sftp_is_under_maintenance(
    push: Push, connection: ERPConnection, tmp_path: Path
) -> None:
    with openssh_server(tmp_path / "closed", extra="ForceCommand /bin/false") as there:
        for known in (False, True):
            edit(connection, host=there.host, port=there.port, host_key=there.host_key, private_key=there.private_key)
            if known:
                ERPConnection.objects.update(reached_at=timezone.now())
            ERPExport.objects.all().update(next_attempt_at=None)
            push()
            drain.drain(connection.pk)
            connection.refresh_from_db()
            export = ERPExport.objects.first()
            assert export
            reason = export.error_message if known else connection.blocked_reason
            assert "starts no SFTP. Ask its operator" in reason
            assert (connection.blocked_at is None) == known


@pytest.mark.parametrize("address", ["0.0.0.0", "169.254.1.1"])  # noqa: S104 - nothing listens there
def test_a_known_host_that_leads_elsewhere_is_an_outage(
    address: str, push: Push, connection: ERPConnection, server: OpenSSHServer, leads_to: Resolver
) -> None:
    """B16: a resolver without its network may give such an address for every name."""
    push()
    drain.drain(connection.pk)
    sessions.close_all()
    leads_to(address)
    export = meets_an_outage(push, connection)
    assert "localhost leads to an address that may not be connected to at present" in export.error_message
    leads_to(None)
    drain_later(connection)
    assert export.filename in names(server.root / "in")


def test_a_host_that_was_never_reached_and_leads_elsewhere_blocks(
    push: Push, connection: ERPConnection, leads_to: Resolver
) -> None:
    push()
    leads_to("0.0.0.0")  # noqa: S104 - nothing listens there
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert "localhost leads to an address that may not be connected to." in connection.blocked_reason


@pytest.fixture
def place_of_folders(organization: Organization, dropzone_root: Path) -> Place:
    root = dropzone_root / organization.slug
    for name in ("in", "acks"):
        (root / name).mkdir(parents=True)
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="Folder", is_default=True, config=config)
    return connection_service.save(row, changes, actor="test"), root


@pytest.fixture(params=["sftp", "folder"])
def place(request: pytest.FixtureRequest, db: None) -> Place:
    if request.param == "sftp":
        return request.getfixturevalue("connection"), request.getfixturevalue("server").root
    found: Place = request.getfixturevalue("place_of_folders")
    return found


def push_over(connection: ERPConnection, make_order: MakeOrder) -> ERPExport:
    return push_service.push(PushRequest(order=make_order(), actor="ops", connection=connection))


@pytest.mark.parametrize("by", ["a delivery", "a test"])
def test_a_known_folder_that_is_missing_is_an_outage(by: str, place: Place, make_order: MakeOrder) -> None:
    """B16, F13: its share is not mounted. Nothing counts as sent, nobody has to act, and it goes when it is back."""
    connection, root = place
    if by == "a test":
        assert connection_service.test(connection, actor="test").success
    else:
        push_over(connection, make_order)
        drain.drain(connection.pk)
    sessions.close_all()
    (root / "in").rename(root / "away")
    export = push_over(connection, make_order)
    for _ in range(3):
        drain_later(connection)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert (connection.blocked_at, export.status, export.tries) == (None, "PENDING", 3)
    assert "no such file or" in export.error_message
    assert "Orders were put there before. Its share may not be mounted: mount it. Do not create" in export.error_message
    assert "tried again on the normal schedule" in export.error_message
    assert "Create the folder" not in export.error_message
    # The pause, from which the incident follows, has the real reason.
    paused = connection.events.get(kind="PAUSED")
    assert export.error_message in paused.message
    (root / "away").rename(root / "in")
    drain_later(connection)
    export.refresh_from_db()
    assert (export.status, export.filename in names(root / "in")) == ("SENT", True)


def test_a_folder_that_never_worked_blocks_however_known_its_server_is(place: Place, make_order: MakeOrder) -> None:
    connection, _ = place
    push_over(connection, make_order)
    drain.drain(connection.pk)
    edit(connection, export_path="typo")
    export = push_over(connection, make_order)
    drain.drain(connection.pk)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert "typo" in connection.blocked_reason
    assert (export.status, export.tries) == ("PENDING", 0)


def test_an_order_that_is_found_in_the_former_folder_says_nothing_of_the_present_one(
    place_of_folders: Place, make_order: MakeOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typo in the new one would be taken for an outage."""
    connection, _ = place_of_folders
    export = push_over(connection, make_order)

    class Lost(LocalDropzone):
        def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
            super().rename(moves)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(config, "LocalDropzone", Lost)
        with pytest.raises(KeyboardInterrupt):
            drain.drain(connection.pk)
    Lane.objects.update(leased_until=None)
    edit(connection, export_path="typo")
    drain_later(connection)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.dropzone_path, connection.worked_at) == ("SENT", f"in/{export.filename}", None)
    edit(connection, export_path="in")
    push_over(connection, make_order)
    drain_later(connection)
    connection.refresh_from_db()
    assert connection.worked_at is not None


def test_another_edit_leaves_the_folder_known(place: Place) -> None:
    connection, _ = place
    assert connection_service.test(connection, actor="test").success
    edit(connection, ack_timeout_h=5)
    connection.refresh_from_db()
    assert connection.worked_at is not None


def test_a_known_root_that_is_missing_is_an_outage_for_deliveries_and_polls(
    dropzone_root: Path, make_order: MakeOrder, place_of_folders: Place
) -> None:
    """B16: the whole share is away, and both look at it."""
    connection, root = place_of_folders
    push_over(connection, make_order)
    drain.drain(connection.pk)
    root.rename(dropzone_root / "away")
    export = push_over(connection, make_order)
    drain.drain(connection.pk)
    with pytest.raises(TransientError, match=r"no folder that can be used.* mount it") as polled:
        ack_poller.poll(connection.pk)
    assert "Create" not in str(polled.value)
    connection.refresh_from_db()
    export.refresh_from_db()
    assert (connection.blocked_at, export.status, export.tries) == (None, "PENDING", 1)
    (dropzone_root / "away").rename(root)
    drain_later(connection)
    export.refresh_from_db()
    assert export.status == "SENT"


@pytest.mark.parametrize("direct", [False, True], ids=["by rename", "in place"])
def test_a_test_of_a_known_folder_that_is_missing_advises_to_mount_it(
    direct: bool, place: Place, make_order: MakeOrder
) -> None:
    """A person who creates it on the local disk has what was staged on the share count as collected."""
    connection, root = place
    edit(connection, atomic_write=not direct)
    push_over(connection, make_order)
    drain.drain(connection.pk)
    (root / "in").rename(root / "away")
    result = connection_service.test(ERPConnection.objects.get(), actor="test")
    message = ERPConnection.objects.get().last_test_message
    assert (result.success, result.error_message, result.steps[-1].detail) == (False, message, message)
    assert "Its share may not be mounted: mount it. Do not create the folder" in message
    assert "Create the folder" not in message


def test_a_test_of_a_known_root_that_is_missing_advises_to_mount_it(
    dropzone_root: Path, make_order: MakeOrder, place_of_folders: Place
) -> None:
    connection, root = place_of_folders
    push_over(connection, make_order)
    drain.drain(connection.pk)
    root.rename(dropzone_root / "away")
    result = connection_service.test(ERPConnection.objects.get(), actor="test")
    assert "mount it. Do not create the folder" in (result.error_message or "")
    assert "Create the folder" not in (result.error_message or "")


def test_an_order_that_is_staged_waits_for_its_folder_and_is_sent_once(
    place_of_folders: Place, make_order: MakeOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F13: gone with its folder tells nothing, neither that the ERP took it nor that it may go again."""
    connection, root = place_of_folders
    export = push_over(connection, make_order)

    class Unmounted(LocalDropzone):
        def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
            (root / "in").rename(root / "away")
            return super().rename(moves)

    monkeypatch.setattr(config, "LocalDropzone", Unmounted)
    drain.drain(connection.pk)
    monkeypatch.undo()
    for _ in range(9):
        drain_later(connection)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.undecided_since, connection.blocked_at) == ("PENDING", None, None)
    assert export.next_attempt_at
    staged = export.staged_path
    (root / "away").rename(root / "in")
    drain_later(connection)
    export.refresh_from_db()
    assert (export.status, export.staged_path, names(root / "in")) == ("SENT", staged, [export.filename])
