"""Sessions that are kept: for whom, for how long, and what is not kept."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncssh
import pytest
from celery.signals import worker_process_shutdown

from connectors.dropzones.backends.base import OutgoingFile
from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.exceptions import TransientError
from connectors.sftp import pool
from connectors.sftp.pool import Key, Owner, SessionPool
from connectors.sftp.protocol import file_operations
from connectors.sftp.session import SFTPSession
from tests.connectors.conftest import target_of
from tests.servers.faulty.faults import Fails, Freezes
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.openssh import OpenSSHServer
from tests.servers.sftp.sftp_server import SFTPServer

OURS, THEIRS = UUID(int=1), UUID(int=2)

Borrow = Callable[..., AbstractContextManager[SFTPSession]]
Start = Callable[..., AsyncSSHServer]


@pytest.fixture
def kept() -> Iterator[SessionPool]:
    kept = SessionPool()
    yield kept
    kept.close_all()


@pytest.fixture
def server(start_asyncssh: Start) -> AsyncSSHServer:
    return start_asyncssh()


def key_of(server: SFTPServer, connection_id: UUID = OURS, revision: int = 1, **changes: Any) -> Key:
    return Key(owner=Owner(connection_id=connection_id, revision=revision), target=target_of(server, **changes))


@pytest.fixture
def borrow(kept: SessionPool) -> Borrow:
    def borrow(server: SFTPServer, *, idle_s: float = 60, **key: Any) -> AbstractContextManager[SFTPSession]:
        return kept.borrowed(key_of(server, **key), idle_s=idle_s)

    return borrow


def test_the_end_of_one_job_is_not_that_of_the_next(
    kept: SessionPool, server: AsyncSSHServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ASK_AFTER_S", 0)
    over = time.monotonic() - 1
    with kept.borrowed(key_of(server), idle_s=60) as first:
        use(first)
        first.ends_at = over
    for _ in range(20):
        with kept.borrowed(key_of(server), idle_s=60, ends_at=time.monotonic() + 30) as session:
            use(session)
            assert session is first
            session.ends_at = over


def use(session: SFTPSession) -> None:
    session.ask(file_operations.lstat("."))


def is_there_soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def threads_of_sessions() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("sftp-")]


def test_one_session_serves_one_borrower_after_the_other(borrow: Borrow, server: AsyncSSHServer) -> None:
    for _ in range(5):
        with borrow(server) as session:
            use(session)
    assert len(server.connections) == 1


def test_two_at_once_have_a_session_each_and_a_third_is_not_kept(borrow: Borrow, server: AsyncSSHServer) -> None:
    for _ in range(2):
        with ExitStack() as borrowers:
            together = [borrowers.enter_context(borrow(server)) for _ in range(3)]
            assert len(set(together)) == 3
    assert len(server.connections) == 4


def test_another_connection_with_the_same_target_has_its_own(borrow: Borrow, server: AsyncSSHServer) -> None:
    for connection_id in (OURS, THEIRS, OURS, THEIRS):
        with borrow(server, connection_id=connection_id) as session:
            use(session)
    assert len(server.connections) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"revision": 2},
        {"host": "localhost"},
        {"password": "correct horse"},
        {"private_key": None, "password": "correct horse"},
        {"passphrase": "for no key"},
        {"timeout_s": 9},
        {"allowed_networks": (ip_network("127.0.0.1/32"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edit_ends_the_session_and_begins_another(
    borrow: Borrow, server: AsyncSSHServer, change: dict[str, Any]
) -> None:
    with borrow(server) as before:
        use(before)
    with borrow(server, **change) as after:
        assert before.is_closed
        use(after)
    assert len(server.connections) == 2


def test_a_pinned_key_that_was_changed_is_looked_at_anew(borrow: Borrow, server: AsyncSSHServer) -> None:
    """F19."""
    with borrow(server) as session:
        use(session)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(Exception, match="instead of the pinned"), borrow(server, host_key=other):
        pass
    assert session.is_closed


def test_a_session_that_the_server_ended_is_replaced(
    borrow: Borrow, start_openssh: Callable[..., OpenSSHServer]
) -> None:
    server = start_openssh()
    for _ in range(3):
        with borrow(server) as session:
            use(session)
        server.kill_sessions()
    assert server.log().count("Accepted publickey") == 3


def test_a_session_that_fell_silent_is_found_out_before_it_is_lent(
    borrow: Borrow, start_faulty: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ASK_AFTER_S", 0)
    monkeypatch.setattr("connectors.network.watchdog.SECONDS_PER_ITEM", 0)
    monkeypatch.setattr("connectors.sftp.session._PATIENCE_S", 0.3)
    # Looks at nothing any more, as behind a firewall that has forgotten the connection.
    silence = Freezes(operations=frozenset({"lstat"}), share=0)
    server = start_faulty(silence)
    for _ in range(2):
        with borrow(server) as session:
            use(session)
    assert len(server.connections) == 1
    silence.share = 1
    with borrow(server) as fresh:
        assert session.is_closed
        assert not fresh.is_closed
    assert len(server.connections) == 2


def test_a_session_with_a_doubtful_answer_is_not_kept(borrow: Borrow, start_faulty: Start) -> None:
    server = start_faulty(Fails(operations=frozenset({"open"})))
    with borrow(server) as session:
        (outcome,) = SFTPDropzone(session).write([OutgoingFile(path="/order", content=b"{}")])
        assert isinstance(outcome, TransientError)
    assert session.is_closed


def test_a_plain_refusal_is_no_reason_to_log_in_again(borrow: Borrow, server: AsyncSSHServer) -> None:
    for _ in range(2):
        with borrow(server) as session:
            (outcome,) = SFTPDropzone(session).write([OutgoingFile(path="/nowhere/order", content=b"{}")])
            assert outcome is not None
    assert len(server.connections) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_session_that_an_error_leaves_is_not_kept(
    borrow: Borrow, server: AsyncSSHServer, error: type[BaseException]
) -> None:
    with pytest.raises(error), borrow(server) as session:
        raise error
    assert session.is_closed


def test_a_listing_that_was_not_read_to_its_end_is_nobody_elses(borrow: Borrow, server: AsyncSSHServer) -> None:
    (server.root / "order").touch()
    with borrow(server) as session:
        listing = SFTPDropzone(session).list("/")
        next(listing)
    assert session.is_closed
    with borrow(server) as other:
        del listing
        use(other)


@pytest.mark.usefixtures("nothing_left_behind")
def test_an_idle_session_ends_in_time_by_itself(borrow: Borrow, shared_openssh: OpenSSHServer) -> None:
    before = len(threads_of_sessions())
    with borrow(shared_openssh, idle_s=0.3) as session:
        use(session)
    assert not session.is_closed
    assert is_there_soon(lambda: session.is_closed)
    assert is_there_soon(lambda: len(threads_of_sessions()) == before)


@pytest.mark.usefixtures("nothing_left_behind")
def test_nothing_is_kept_without_an_idle_time(borrow: Borrow, shared_openssh: OpenSSHServer) -> None:
    with borrow(shared_openssh, idle_s=0) as session:
        use(session)
    assert session.is_closed


def test_a_busy_session_ends_too(borrow: Borrow, server: AsyncSSHServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LONGEST_LIFE_S", 0.2)
    with borrow(server) as session:
        use(session)
        time.sleep(0.3)
    assert session.is_closed


def test_the_one_that_waits_longest_makes_room(
    borrow: Borrow, server: AsyncSSHServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_IN_ALL", 2)
    left = []
    for number in range(4):
        with borrow(server, connection_id=UUID(int=number)) as session:
            left.append(session)
    assert [session.is_closed for session in left] == [True, True, False, False]


def test_the_sessions_of_one_connection_are_closed_alone(
    kept: SessionPool, borrow: Borrow, server: AsyncSSHServer
) -> None:
    with borrow(server) as ours, borrow(server, connection_id=THEIRS) as theirs:
        pass
    kept.close_idle(OURS)
    assert (ours.is_closed, theirs.is_closed) == (True, False)


@pytest.mark.usefixtures("nothing_left_behind")
def test_closing_all_leaves_no_thread_and_no_socket(
    kept: SessionPool, borrow: Borrow, shared_openssh: OpenSSHServer
) -> None:
    with borrow(shared_openssh), borrow(shared_openssh, connection_id=THEIRS):
        pass
    kept.close_all()
    kept.close_all()


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_worker_process_that_ends_closes_what_it_kept(shared_openssh: OpenSSHServer) -> None:
    with pool.sessions.borrowed(key_of(shared_openssh), idle_s=60) as session:
        use(session)
    assert not session.is_closed
    worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)
    assert session.is_closed


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_logs_in_by_itself_and_leaves_the_parents_session_alone(
    start_openssh: Callable[..., OpenSSHServer], tmp_path: Path
) -> None:
    server = start_openssh()
    borrow = partial(pool.sessions.borrowed, key_of(server), idle_s=60)
    with borrow() as of_parent:
        use(of_parent)
    child = os.fork()
    if not child:
        signal.alarm(20)
        code = 1
        try:
            # What the child forgets, it must not let go of: Paramiko would say goodbye over the parent's connection.
            gc.collect()
            with borrow() as session:
                use(session)
            pool.sessions.close_all()
            gc.collect()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert server.log().count("Accepted publickey") == 2
    with borrow() as again:
        assert again is of_parent
        use(again)
    assert server.log().count("Accepted publickey") == 2
