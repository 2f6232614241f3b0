"""A server that hangs or drips in any one phase of a session: it ends by its deadline, and nothing is left behind."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.exceptions import ConnectorError, InDoubtError, TransientError
from connectors.sftp.protocol import file_operations
from connectors.sftp.session import SFTPSession
from connectors.sftp.target import SFTPTarget
from connectors.types.test_results import Steps
from tests.connectors.conftest import LOOPBACK, target_of
from tests.servers.proxies.stalling_proxy import Stalling, stalling_proxy
from tests.servers.sftp.openssh import OpenSSHServer

TIMEOUT_S = 1
LATE_S = 5
# Slower than any phase bears; yet no silence.
DRIP_S = 0.2

# Between which steps of a connection the server falls silent, and how far on the way from the one to the other.
PHASES = {
    "banner": ("resolve", "connect", 0.0),
    "key exchange begins": ("resolve", "connect", 0.1),
    "key exchange": ("resolve", "connect", 0.6),
    "key exchange ends": ("resolve", "connect", 0.98),
    "log-in": ("connect", "log in", 0.0),
    "log-in is answered": ("connect", "log in", 0.9),
    "channel": ("log in", "start SFTP", 0.0),
    "channel is answered": ("log in", "start SFTP", 0.3),
    "subsystem": ("log in", "start SFTP", 0.6),
    "version": ("log in", "start SFTP", 0.95),
}


@pytest.fixture(scope="module")
def steps_end(shared_server: Callable[[str], OpenSSHServer]) -> dict[str, int]:
    """How many bytes the server has sent by the end of each step of a connection."""
    server, seen = shared_server("openssh"), dict[str, int]()
    with stalling_proxy(server.port) as proxy:
        steps = Steps(on_step=lambda step: seen.update({step.name: proxy.passed}))
        SFTPSession(target_of(server, port=proxy.port), steps=steps).close()
    return seen


@pytest.fixture
def proxy(shared_openssh: OpenSSHServer) -> Iterator[Stalling]:
    with stalling_proxy(shared_openssh.port) as proxy:
        yield proxy


@pytest.mark.parametrize("drip_s", [None, DRIP_S], ids=["hangs", "drips"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.usefixtures("nothing_left_behind")
def test_every_phase_of_connecting_ends_at_the_deadline(
    proxy: Stalling, shared_openssh: OpenSSHServer, steps_end: dict[str, int], phase: str, drip_s: float | None
) -> None:
    """F15, F16."""
    before, after, part = PHASES[phase]
    start, end = steps_end[before], steps_end[after]
    proxy.allow, proxy.drip_s = int(start + part * (end - start)), drip_s
    started = time.monotonic()
    with pytest.raises(TransientError):
        SFTPSession(target_of(shared_openssh, port=proxy.port, timeout_s=TIMEOUT_S))
    assert TIMEOUT_S * 0.9 <= time.monotonic() - started < TIMEOUT_S + LATE_S


@pytest.mark.parametrize("drip_s", [None, DRIP_S], ids=["hangs", "drips"])
@pytest.mark.parametrize("answered", [0, 60, 150], ids=["open", "write", "close"])
@pytest.mark.usefixtures("nothing_left_behind")
def test_every_request_ends_at_the_jobs_end(
    proxy: Stalling, shared_openssh: OpenSSHServer, answered: int, drip_s: float | None
) -> None:
    """F17: `answered` bytes after the session began."""
    ends_at = time.monotonic() + 1
    session = SFTPSession(target_of(shared_openssh, port=proxy.port, timeout_s=30), ends_at=ends_at)
    proxy.allow, proxy.drip_s = proxy.passed + answered, drip_s
    outcomes = session.run([file_operations.write_file(f"phase-{answered}-{n}", b"x" * 100_000) for n in range(50)])
    assert 0 <= time.monotonic() - ends_at < LATE_S
    assert {type(outcome) for outcome in outcomes} <= {type(None), TransientError, InDoubtError}
    assert isinstance(outcomes[-1], ConnectorError)
    assert session.is_closed
    session.close()


def test_a_server_that_drips_is_told_from_one_that_is_silent(proxy: Stalling, shared_openssh: OpenSSHServer) -> None:
    session = SFTPSession(target_of(shared_openssh, port=proxy.port, timeout_s=30), ends_at=time.monotonic() + 1)
    proxy.allow, proxy.drip_s = proxy.passed, 0.01
    outcomes = session.run([file_operations.lstat(f"f{n}") for n in range(1000)])
    assert "was too slow to come to an end in time" in str(outcomes[-1])


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_port_that_takes_no_connection_ends_at_the_deadline() -> None:
    """F16: neither accepted nor refused, as behind a firewall that drops."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(5):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        target = _target(listener.getsockname()[1])
        started = time.monotonic()
        with pytest.raises(TransientError, match="did not answer within 1 s"):
            SFTPSession(target)
        assert time.monotonic() - started < TIMEOUT_S + LATE_S


def test_a_name_server_that_is_silent_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """F16: the system's resolver knows no deadline."""
    answered = threading.Event()
    resolve = socket.getaddrinfo

    def resolve_late(*arguments: Any, **options: Any) -> Any:
        answered.wait(10)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_late)
    started = time.monotonic()
    with pytest.raises(TransientError, match="could not be resolved within 1 s"):
        SFTPSession(_target(22))
    answered.set()
    assert time.monotonic() - started < TIMEOUT_S + LATE_S


def test_an_address_that_does_not_answer_leaves_the_next_its_share(
    shared_openssh: OpenSSHServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as opened:
        for _ in range(5):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        ports = (listener.getsockname()[1], shared_openssh.port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        SFTPSession(target_of(shared_openssh, timeout_s=4)).close()


def _target(port: int) -> SFTPTarget:
    return SFTPTarget(
        host="127.0.0.1",
        port=port,
        username="erp",
        password="secret",
        host_key="",
        timeout_s=TIMEOUT_S,
        allowed_networks=LOOPBACK,
    )
