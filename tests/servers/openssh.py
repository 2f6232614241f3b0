"""A real sshd of OpenSSH on a free port of the loopback, with keys, configuration and folders of its own."""

import contextlib
import getpass
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.missing import program
from tests.servers.ports import free_port

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


@dataclass(kw_only=True)
class OpenSSHServer:
    """`root` is where a session begins, and what relative paths are relative to."""

    host: str
    port: int
    username: str
    private_key: str
    host_key: str
    root: Path
    folder: Path
    process: "subprocess.Popen[bytes]"
    password: None = None

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def freeze(self) -> None:
        """The server and its sessions stop in the middle of whatever they do; connections stay open."""
        for pid in _family(self.process.pid):
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in _family(self.process.pid):
            _signal(pid, signal.SIGCONT)

    def kill_sessions(self) -> None:
        for pid in _family(self.process.pid)[1:]:
            _signal(pid, signal.SIGKILL)
        # Their sockets close with them, not with the signal.
        deadline = time.monotonic() + 5
        while len(_family(self.process.pid)) > 1 and time.monotonic() < deadline:
            time.sleep(0.005)


@contextlib.contextmanager
def openssh_server(folder: Path, *, extra: str = "", open_files: int | None = None) -> Iterator[OpenSSHServer]:
    """`extra` are further lines of sshd_config, `open_files` the limit for the server's processes."""
    folder.mkdir(parents=True, exist_ok=True)
    # sshd wants the folder to itself, whatever the umask.
    folder.chmod(0o755)
    root = folder / "root"
    root.mkdir(exist_ok=True)
    for name in ("host_key", "user_key"):
        generate_key(folder / name)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    process, port = _start(folder, root, extra, open_files)
    server = OpenSSHServer(
        host="127.0.0.1",
        port=port,
        username=getpass.getuser(),
        private_key=(folder / "user_key").read_text(),
        host_key=" ".join((folder / "host_key.pub").read_text().split()[:2]),
        root=root,
        folder=folder,
        process=process,
    )
    try:
        yield server
    finally:
        server.thaw()
        family = _family(process.pid)
        process.terminate()
        process.wait(10)
        for pid in family[1:]:
            _signal(pid, signal.SIGKILL)


def generate_key(path: Path, *, kind: str = "ed25519", passphrase: str = "", options: tuple[str, ...] = ()) -> str:
    """The private key's text; the public key lies beside it."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path), *options]
    subprocess.run(command, check=True, input=b"y\n", stdout=subprocess.DEVNULL)
    return path.read_text()


def _start(folder: Path, root: Path, extra: str, open_files: int | None) -> tuple["subprocess.Popen[bytes]", int]:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for _ in range(5):
        port = free_port()
        config = folder / "sshd_config"
        config.write_text(CONFIG.format(port=port, folder=folder, root=root, extra=extra))
        process = _spawn(folder, config, open_files)
        if _listens(process, port):
            return process, port
        process.kill()
        process.wait()
    raise RuntimeError(f"sshd does not start: {(folder / 'log').read_text()}")


def _spawn(folder: Path, config: Path, open_files: int | None) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [
            str(program("sshd", package="openssh-server", folders="/usr/sbin")),
            "-D",
            "-f",
            str(config),
            "-E",
            str(folder / "log"),
        ],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    if open_files:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (open_files, open_files))
    return process


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.02)
    return False


def _family(pid: int) -> list[int]:
    """The process, then its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
