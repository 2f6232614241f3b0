"""Servers that fall silent: every job ends in time, and leaves nothing behind."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.exceptions import ConnectorError, InDoubtError, TransientError
from connectors.sftp.protocol import file_operations
from connectors.sftp.session import SFTPSession
from connectors.sftp.target import SFTPTarget
from tests.connectors.conftest import LOOPBACK, target_of
from tests.servers.faulty.faults import Dawdles
from tests.servers.raw import Talk, drip, greet_only, raw_server, say_nothing, speak_http
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.openssh import OpenSSHServer

StartOpenSSH = Callable[..., OpenSSHServer]
Connect = Callable[..., SFTPSession]
HALF_A_MEGABYTE = b"x" * 500_000
TEN_MEGABYTES = HALF_A_MEGABYTE * 20


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


@contextlib.contextmanager
def target_that(talk: Talk) -> Iterator[SFTPTarget]:
    with raw_server(talk) as port:
        yield SFTPTarget(
            host="127.0.0.1",
            port=port,
            username="erp",
            password="secret",
            host_key="",
            timeout_s=1,
            allowed_networks=LOOPBACK,
        )


@pytest.mark.usefixtures("nothing_left_behind")
@pytest.mark.parametrize("talk", [drip, say_nothing, greet_only])
def test_a_banner_that_never_comes_to_an_end_ends_at_the_deadline(talk: Talk) -> None:
    """F16: or after which the key exchange never begins."""
    with target_that(talk) as target, within(2.5), pytest.raises(TransientError, match="within 1 s"):
        SFTPSession(target)


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_server_of_another_kind_is_told_and_its_text_tamed() -> None:
    """S16."""
    with target_that(speak_http) as target, pytest.raises(TransientError) as error:
        SFTPSession(target)
    assert "\x1b" not in str(error.value)


def test_a_silent_subsystem_ends_at_the_deadline(start_openssh: StartOpenSSH) -> None:
    """F15."""
    server = start_openssh(extra="ForceCommand sleep 30")
    with within(3), pytest.raises(TransientError, match="did not start SFTP within 1 s"):
        SFTPSession(target_of(server, timeout_s=1))


def test_a_server_that_freezes_in_a_batch_ends_it_at_the_deadline(start_openssh: StartOpenSSH) -> None:
    """F17: what left is in doubt, what did not is not; the next call says that the session is over."""
    server = start_openssh()
    session = SFTPSession(target_of(server, timeout_s=1))
    server.freeze()
    with within(3):
        outcomes = session.run([file_operations.write_file(f"f{n}", HALF_A_MEGABYTE) for n in range(600)])
    assert {type(outcome) for outcome in outcomes} == {InDoubtError, TransientError}
    assert isinstance(outcomes[0], InDoubtError)
    assert type(outcomes[-1]) is TransientError
    assert "did not answer within 1 s" in str(outcomes[0])
    with pytest.raises(TransientError, match="has ended"):
        session.run([file_operations.lstat("f0")])


def test_a_server_that_freezes_while_it_takes_bytes_ends_at_the_deadline(start_openssh: StartOpenSSH) -> None:
    """F17: the writer is stuck in a full socket then, where no timeout of Paramiko's reaches it."""
    server = start_openssh()
    session = SFTPSession(target_of(server, timeout_s=1))
    timer = threading.Timer(0.2, server.freeze)
    timer.start()
    with within(4):
        outcomes = session.run([file_operations.write_file(f"f{n}", TEN_MEGABYTES) for n in range(400)])
    timer.join()
    assert isinstance(outcomes[-1], ConnectorError)
    assert session.is_closed


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_frozen_server_leaves_nothing_behind(start_openssh: StartOpenSSH) -> None:
    server = start_openssh()
    session = SFTPSession(target_of(server, timeout_s=0.5))
    server.freeze()
    (outcome,) = session.run([file_operations.lstat("f")])
    assert type(outcome) is TransientError
    session.close()


def test_a_connection_lost_in_a_batch_leaves_the_unanswered_in_doubt(start_openssh: StartOpenSSH) -> None:
    """F2, F17."""
    server = start_openssh()
    session = SFTPSession(target_of(server))
    killer = threading.Thread(target=_kill_when_busy, args=(server,))
    killer.start()
    outcomes = session.run([file_operations.write_file(f"f{n:05}", b"x" * 10_000) for n in range(20_000)])
    killer.join()
    done = [n for n, outcome in enumerate(outcomes) if outcome is None]
    assert {type(outcome) for outcome in outcomes} == {type(None), InDoubtError, TransientError}
    assert "closed the connection" in str(outcomes[-1])
    assert all((server.root / f"f{n:05}").stat().st_size == 10_000 for n in done)


def _kill_when_busy(server: OpenSSHServer) -> None:
    while len(list(server.root.iterdir())) < 1000:
        time.sleep(0.01)
    server.kill_sessions()


def test_a_slow_server_that_goes_on_answering_is_not_cut_off(
    connect: Connect, start_faulty: Callable[..., AsyncSSHServer]
) -> None:
    """A batch may take longer than the silence that is allowed, as long as it goes on."""
    server = start_faulty(Dawdles(operations=frozenset({"lstat"}), seconds=0.3))
    session = connect(server, timeout_s=1)
    outcomes = session.run([file_operations.lstat(f"f{n}") for n in range(6)])
    assert outcomes == [None] * 6


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_session_leaves_nothing_behind(shared_openssh: OpenSSHServer) -> None:
    for _ in range(3):
        session = SFTPSession(target_of(shared_openssh))
        session.ask(file_operations.lstat("."))
        session.close()
        session.close()


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_session_that_never_came_about_leaves_nothing_behind(shared_openssh: OpenSSHServer) -> None:
    with pytest.raises(ConnectorError):
        SFTPSession(target_of(shared_openssh, host_key=""))


def test_a_pipe_in_the_place_of_a_file_that_was_listed_holds_a_reader_up_to_the_deadline(
    start_openssh: StartOpenSSH, connect: Connect
) -> None:
    """A11: whoever put it there between the two. The next listing shows it for what it is."""
    server = start_openssh()
    pipe = server.root / "ack.json"
    os.mkfifo(pipe)
    with within(2.5):
        (outcome,) = SFTPDropzone(connect(server, timeout_s=1)).read_listed([pipe.name], [5], limit=100)
    # Its process there waits for somebody who writes.
    os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    assert isinstance(outcome, TransientError)
    assert "within 1 s" in str(outcome)
