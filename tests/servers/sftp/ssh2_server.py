"""The server in ssh2/, of the npm package of that name, on a free port of the loopback."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.servers.missing import not_installed, program
from tests.servers.sftp.sftp_server import ServerProcess, prepare, running

SOURCE = Path(__file__).with_name("ssh2")
USERNAME = "erp"


@contextlib.contextmanager
def ssh2_server(folder: Path, *, delay_ms: int = 0) -> Iterator[ServerProcess]:
    """`delay_ms` is how long each read and write waits, while what came behind it is carried out."""
    node = program("node", package="nodejs")
    if not (SOURCE / "node_modules" / "ssh2").is_dir():
        not_installed("ssh2", f"npm ci --prefix {SOURCE}")
    root = prepare(folder)

    def command(port: int) -> list[str]:
        keys = [str(folder / "host_key"), str(folder / "authorized_keys")]
        delay = [str(delay_ms)] if delay_ms else []
        return [str(node), str(SOURCE / "server.js"), str(root), str(port), USERNAME, *keys, *delay]

    with running(folder, USERNAME, command) as server:
        yield server
