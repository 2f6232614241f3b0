"""Servers that allow few sessions: an order waits for its turn there, and nobody has to look at the log-in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.dropzones.backends.base import OutgoingFile
from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.exceptions import TransientError
from connectors.sftp.session import SFTPSession
from tests.connectors.conftest import target_of
from tests.servers.sftp.login_server import Hook, hang_up, login_server, reset
from tests.servers.sftp.openssh import OpenSSHServer
from tests.servers.sftp.proftpd import proftpd_server

StartOpenSSH = Callable[..., OpenSSHServer]
Connect = Callable[..., SFTPSession]


@pytest.mark.parametrize("limit", ["MaxClients", "MaxClientsPerUser", "MaxClientsPerHost", "MaxInstances"])
def test_a_session_too_many_for_proftpd_may_come_again(limit: str, tmp_path: Path, connect: Connect) -> None:
    """F18: it lets the user in first, and then hangs up."""
    with proftpd_server(tmp_path / "proftpd", extra=f"{limit} 1") as server:
        server.wait_until_idle()
        only = connect(server)
        with pytest.raises(TransientError):
            connect(server)
        only.close()
        server.wait_until_idle()
        assert SFTPDropzone(connect(server)).write([OutgoingFile(path="order", content=b"x")]) == [None]


@pytest.mark.parametrize("end", [hang_up, reset], ids=["hangs up", "resets"])
def test_a_log_in_that_went_well_is_never_told_as_refused(end: Hook, tmp_path: Path) -> None:
    """F18: the server hangs up right behind it."""
    with (
        login_server(tmp_path / "erp", on_session=end) as server,
        pytest.raises(TransientError, match="no further session"),
    ):
        SFTPSession(target_of(server))


def test_one_session_is_all_that_a_batch_needs(start_openssh: StartOpenSSH, connect: Connect) -> None:
    dropzone = SFTPDropzone(connect(start_openssh(extra="MaxSessions 1")))
    files = [OutgoingFile(path=f"order_{n}", content=b"x") for n in range(300)]
    assert dropzone.write(files) == [None] * 300


def test_a_channel_that_openssh_does_not_open_may_come_again(start_openssh: StartOpenSSH) -> None:
    with pytest.raises(TransientError, match="no further session"):
        SFTPSession(target_of(start_openssh(extra="MaxSessions 0")))
