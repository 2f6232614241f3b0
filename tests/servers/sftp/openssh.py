"""A real sshd of OpenSSH on a free port of the loopback, with keys, configuration and folders of its own."""

import contextlib
import getpass
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.missing import program
from tests.servers.sftp.sftp_server import ServerProcess, generate_key, prepare, running

__all__ = ["OpenSSHServer", "expired_account", "generate_key", "openssh_server"]

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


PAM = """\
auth required pam_unix.so
account required pam_unix.so
password required pam_unix.so
session required pam_permit.so
"""
# sshd sees these in place of the machine's own files, and nobody else does.
SHOWN = {"passwd": "/etc/passwd", "shadow": "/etc/shadow", "pam": "/etc/pam.d/sshd"}


@contextlib.contextmanager
def expired_account(*, password: str) -> Iterator[OpenSSHServer]:
    """An sshd with an account `erp` of its own, whose password has to be changed at its next login."""
    sshd = program("sshd", package="openssh-server", folders="/usr/sbin")
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("Only root can give a program other accounts, and not in every container.")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    # The account reads its keys itself, and does not enter pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="orderflow-sshd-") as name:
        folder = Path(name)
        root = prepare(folder)
        _write_accounts(folder, root, password)
        mounts = "; ".join(f"mount --bind {folder / name} {path}" for name, path in SHOWN.items())

        def command(port: int) -> list[str]:
            config, lines = folder / "sshd_config", CONFIG.format(port=port, folder=folder, root=root, extra="")
            for option in ("UsePAM", "PasswordAuthentication"):
                lines = lines.replace(f"{option} no", f"{option} yes")
            config.write_text(lines)
            start = f"set -e; {mounts}; exec {sshd} -D -f {config} -E {folder / 'log'}"
            return ["unshare", "-m", "sh", "-c", start]

        with running(folder, "erp", command) as server:
            yield server


def _write_accounts(folder: Path, root: Path, password: str) -> None:
    hashing = ["openssl", "passwd", "-6", "-stdin"]
    hashed = subprocess.run(hashing, input=password, capture_output=True, text=True, check=True).stdout.strip()
    account = f"erp:x:64000:64000::{root}:/bin/sh\n"
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + account)
    # The third field is the day of the last change: 0 as `chage -d 0` sets it.
    (folder / "shadow").write_text(Path("/etc/shadow").read_text() + f"erp:{hashed}:0:0:99999:7:::\n")
    (folder / "shadow").chmod(0o600)
    (folder / "pam").write_text(PAM)
