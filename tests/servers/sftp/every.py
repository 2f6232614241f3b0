"""Every SFTP server that OrderFlow is tested with, by name."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers.sftp.asyncssh_server import asyncssh_server
from tests.servers.sftp.openssh import openssh_server
from tests.servers.sftp.proftpd import proftpd_server
from tests.servers.sftp.rclone import rclone_server
from tests.servers.sftp.sftp_server import SFTPServer
from tests.servers.sftp.ssh2_server import ssh2_server

_STARTERS: dict[str, Callable[[Path], AbstractContextManager[SFTPServer]]] = {
    "openssh": openssh_server,
    "proftpd": proftpd_server,
    "rclone": rclone_server,
    "asyncssh": lambda folder: asyncssh_server(folder / "root"),
    "ssh2": ssh2_server,
}
NAMES = tuple(_STARTERS)
# Parameters of a test: OpenSSH in the inner loop, the other servers with `make test-all`.
PARAMS = tuple(pytest.param(name, marks=() if name == "openssh" else pytest.mark.full) for name in NAMES)


def start(name: str, folder: Path) -> AbstractContextManager[SFTPServer]:
    """The server in its usual form, running while the context lasts; what it needs lies in `folder`."""
    return _STARTERS[name](folder)
