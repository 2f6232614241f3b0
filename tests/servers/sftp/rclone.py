"""`rclone serve sftp` on a free port of the loopback: a folder here, as it would be a bucket elsewhere."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.servers.missing import program
from tests.servers.sftp.sftp_server import ServerProcess, prepare, running

USERNAME = "erp"


@contextlib.contextmanager
def rclone_server(folder: Path, *, options: tuple[str, ...] = ()) -> Iterator[ServerProcess]:
    """`options` are further words of its command line."""
    rclone = program("rclone", package="rclone")
    root = prepare(folder)

    def command(port: int) -> list[str]:
        return [
            *(str(rclone), "serve", "sftp", str(root), "--addr", f"127.0.0.1:{port}", "--user", USERNAME),
            *("--key", str(folder / "host_key"), "--authorized-keys", str(folder / "authorized_keys")),
            *("--config", os.devnull, "--cache-dir", str(folder / "cache"), "--log-file", str(folder / "log")),
            # What the ERP puts into the folder, or takes from it, is to be seen at once.
            *("--dir-cache-time", "0s"),
            *options,
        ]

    with running(folder, USERNAME, command) as server:
        yield server
