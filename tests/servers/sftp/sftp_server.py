"""What every SFTP server of the tests tells of itself, and how those are run that are programs."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import free_port

_STARTS_WITHIN_S = 15


@dataclass(kw_only=True)
class SFTPServer:
    """`root` is where a session begins: `in` is the folder `root / "in"` on every server, `/in` only on those that
    have `root` for their `/`. One of `private_key` and `password` logs in at least."""

    host: str
    port: int
    root: Path
    host_key: str
    username: str
    private_key: str | None = None
    password: str | None = None


@dataclass(kw_only=True)
class ServerProcess(SFTPServer):
    """Logs in by key. `folder` holds its keys, its configuration and its log."""

    private_key: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def freeze(self) -> None:
        """The server and its sessions stop in the middle of whatever they do; connections stay open."""
        for pid in _family(self.process.pid):
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in _family(self.process.pid):
            _signal(pid, signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        family = _family(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in family[1:]:
            _signal(pid, signal.SIGKILL)

    def kill_sessions(self) -> None:
        """Of a server that has a process for each."""
        for pid in _family(self.process.pid)[1:]:
            _signal(pid, signal.SIGKILL)
        # Their sockets close with them, not with the signal.
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Of a server that has a process for each session, and counts those that ended until it has looked."""
        deadline = time.monotonic() + 5
        while len(_family(self.process.pid, ended=True)) > 1 and time.monotonic() < deadline:
            time.sleep(0.005)


def generate_key(path: Path, *, kind: str = "ed25519", passphrase: str = "", options: tuple[str, ...] = ()) -> str:
    """The private key's text; the public key lies beside it."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path), *options]
    subprocess.run(command, check=True, input=b"y\n", stdout=subprocess.DEVNULL)
    return path.read_text()


def prepare(folder: Path) -> Path:
    """Keys for the server and its user, `authorized_keys`, and the folder `root`, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    # Servers want the folder to themselves, whatever the umask.
    folder.chmod(0o755)
    root = folder / "root"
    root.mkdir(exist_ok=True)
    for name in ("host_key", "user_key"):
        generate_key(folder / name)
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    return root


@contextlib.contextmanager
def running(folder: Path, username: str, command: Callable[[int], Sequence[str]]) -> Iterator[ServerProcess]:
    """The server that `command` starts on the port that it is given, in a folder that was prepared."""
    process, port = _start(folder, command)
    server = ServerProcess(
        host="127.0.0.1",
        port=port,
        username=username,
        private_key=(folder / "user_key").read_text(),
        host_key=" ".join((folder / "host_key.pub").read_text().split()[:2]),
        root=folder / "root",
        folder=folder,
        process=process,
    )
    try:
        yield server
    finally:
        server.stop()


def _start(folder: Path, command: Callable[[int], Sequence[str]]) -> tuple["subprocess.Popen[bytes]", int]:
    """On another port when somebody else was quicker to take the first."""
    for _ in range(5):
        port = free_port()
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if _listens(process, port):
            return process, port
        process.kill()
        process.wait()
    raise RuntimeError(f"{process.args!r} does not start: {(folder / 'log').read_text(errors='replace')}")


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            # Its greeting: before, the server may have yet to begin with this session, and count it later.
            probe.recv(1)
            return True
        time.sleep(0.02)
    return False


def _family(pid: int, *, ended: bool = False) -> list[int]:
    """The process, then its descendants: with those that have ended and are not yet collected, or without."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            state, parent = fields[0], int(fields[1])
            if ended or state != "Z":
                children.setdefault(parent, []).append(int(stat.parent.name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
