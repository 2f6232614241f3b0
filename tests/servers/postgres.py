"""A PostgreSQL cluster of its own for a test session, on a free loopback port.

`python -m tests.servers.postgres COMMAND…` runs the command with such a cluster's DATABASE_URL.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.missing import program
from tests.servers.ports import free_port


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """`url` is of an empty database."""

    url: str
    control: Sequence[str]
    options: str
    user: str | None

    def start(self) -> None:
        _run([*self.control, "-o", self.options, "start"], self.user)

    def crash(self) -> None:
        """Connections break off, nothing is written any more: the next start recovers from the log."""
        _run([*self.control, "-m", "immediate", "stop"], self.user)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server() as server:
        yield server.url


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    initdb = program("initdb", package="postgresql", folders="/usr/lib/postgresql/*/bin")
    folder = Path(tempfile.mkdtemp(prefix="orderflow-postgres-"))
    port = free_port()
    # PostgreSQL does not run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    server = PostgresServer(
        url=f"postgres://orderflow@127.0.0.1:{port}/postgres",
        control=[str(initdb.with_name("pg_ctl")), "-D", str(data), "-w", "-l", str(folder / "log")],
        options=f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} "
        "-c max_connections=200",
        user=user,
    )
    try:
        _run([str(initdb), "-D", str(data), "-U", "orderflow", "-A", "trust", "-E", "UTF8", "--no-sync"], user)
        server.start()
        yield server
    finally:
        stop = [*server.control, "-m", "immediate", "stop"]
        subprocess.run(stop, user=user, cwd="/", capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], user: str | None) -> None:
    # Not captured through a pipe: the server would keep the pipe open.
    subprocess.run(
        command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
    )


if __name__ == "__main__":
    with postgres() as url:
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "DATABASE_URL": url}, check=False).returncode)
