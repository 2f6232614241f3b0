"""Servers to talk to, and sessions with them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from connectors.sftp.session import SFTPSession
from connectors.sftp.target import SFTPTarget
from tests.servers.faulty.server import faulty_server
from tests.servers.sftp.asyncssh_server import AsyncSSHServer, asyncssh_server
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server
from tests.servers.sftp.sftp_server import SFTPServer

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def shared_openssh(shared_server: Callable[[str], OpenSSHServer]) -> OpenSSHServer:
    return shared_server("openssh")


@pytest.fixture
def shared_asyncssh(shared_server: Callable[[str], AsyncSSHServer]) -> AsyncSSHServer:
    return shared_server("asyncssh")


@pytest.fixture
def start_asyncssh(tmp_path: Path) -> Iterator[Callable[..., AsyncSSHServer]]:
    with ExitStack() as running:
        yield lambda **options: running.enter_context(asyncssh_server(tmp_path / "asyncssh", **options))


@pytest.fixture
def start_faulty(tmp_path: Path) -> Iterator[Callable[..., AsyncSSHServer]]:
    with ExitStack() as running:
        yield lambda *faults: running.enter_context(faulty_server(tmp_path / "faulty", list(faults)))


@pytest.fixture
def start_openssh(tmp_path: Path) -> Iterator[Callable[..., OpenSSHServer]]:
    with ExitStack() as running:
        yield lambda **options: running.enter_context(openssh_server(tmp_path / "openssh", **options))


@pytest.fixture
def connect() -> Iterator[Callable[..., SFTPSession]]:
    """A session with a server, closed at the end of the test."""
    with ExitStack() as opened:

        def open_session(server: SFTPServer, **changes: Any) -> SFTPSession:
            session = SFTPSession(target_of(server, **changes))
            opened.callback(session.close)
            return session

        yield open_session


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """No thread and no descriptor that was not there before; a server's own may take a moment to go."""
    threads, descriptors = set(threading.enumerate()), _open_descriptors()
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = {t for t in set(threading.enumerate()) - threads if not t.name.startswith(("asyncssh", "asyncio"))}
        if not left and _open_descriptors() <= descriptors:
            return
        time.sleep(0.05)
    pytest.fail(f"left behind: {left}, {_open_descriptors()} descriptors instead of {descriptors}")


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def target_of(server: SFTPServer, **changes: Any) -> SFTPTarget:
    fields: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "private_key": server.private_key,
        "host_key": server.host_key,
        "timeout_s": 10,
        "allowed_networks": LOOPBACK,
    }
    return SFTPTarget(**fields | changes)


# Their tests run where the packages are installed.
collect_ignore_glob = ["*_package"]
