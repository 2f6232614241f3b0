"""A real sshd of OpenSSH on a free port of the loopback, with keys, configuration and folders of its own."""

import contextlib
import getpass
import os
from collections.abc import Iterator
from pathlib import Path

from tests.servers.missing import program
from tests.servers.sftp_server import ServerProcess, generate_key, prepare, running

__all__ = ["OpenSSHServer", "generate_key", "openssh_server"]

CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
LogLevel VERBOSE
Subsystem sftp internal-sftp -d {root}
{extra}
"""


OpenSSHServer = ServerProcess


@contextlib.contextmanager
def openssh_server(folder: Path, *, extra: str = "", open_files: int | None = None) -> Iterator[OpenSSHServer]:
    """`extra` are further lines of sshd_config, where `{root}` is the server's folder, `open_files` the limit for the
    server's processes."""
    sshd = program("sshd", package="openssh-server", folders="/usr/sbin")
    root = prepare(folder)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def command(port: int) -> list[str]:
        config = folder / "sshd_config"
        own = extra.replace("{root}", str(root))
        config.write_text(CONFIG.format(port=port, folder=folder, root=root, extra=own))
        limit = ["prlimit", f"--nofile={open_files}", "--"] if open_files else []
        return [*limit, str(sshd), "-D", "-f", str(config), "-E", str(folder / "log")]

    with running(folder, getpass.getuser(), command) as server:
        yield server
