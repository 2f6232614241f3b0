"""The other ways to bring files to an SFTP server: OpenSSH's own client, Paramiko as most products use it, asyncssh.

Each puts every file under a temporary name and renames it, and tells files per second. Connecting is left out where a
connection serves all files: the clock of the libraries starts behind it, and the time of an empty batch is taken off
what `sftp -b` needs.
"""

import asyncio
import io
import logging
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import paramiko

from tests.servers.sftp.openssh import OpenSSHServer

# The product's settings would have it log every step.
logging.getLogger("asyncssh").setLevel(logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder on the server, reached by `port`: the server's own or a proxy's. `files` are local ones."""

    server: OpenSSHServer
    port: int
    folder: str
    files: Sequence[Path]

    @property
    def moves(self) -> list[tuple[Path, str, str]]:
        """Each local file with its temporary and its final name."""
        return [(file, f"{self.folder}/{file.name}.tmp", f"{self.folder}/{file.name}") for file in self.files]


def sftp_batch(place: Place) -> float:
    lines = [f"put {file} {temporary}\nrename {temporary} {final}\n" for file, temporary, final in place.moves]
    return len(lines) / (run_sftp(place, lines) - run_sftp(place, []))


def run_sftp(place: Place, lines: Sequence[str]) -> float:
    """Seconds from the start of `sftp -b` to its end, connecting included."""
    known = place.server.folder / "known_hosts"
    known.write_text(f"* {place.server.host_key}\n")
    options = (f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "LogLevel=ERROR")
    command = ["sftp", "-F", "none", "-i", str(place.server.folder / "user_key"), "-P", str(place.port), "-b", "-"]
    command += [word for option in options for word in ("-o", option)]
    command += [f"{place.server.username}@{place.server.host}"]
    started = time.perf_counter()
    subprocess.run(command, input="".join(lines).encode(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def connection_per_file(place: Place) -> float:
    started = time.perf_counter()
    for move in place.moves:
        with closing(_transport(place)) as transport:
            _put(transport, [move])
    return len(place.files) / (time.perf_counter() - started)


def one_connection(place: Place) -> float:
    with closing(_transport(place)) as transport:
        return _put(transport, place.moves)


def _put(transport: paramiko.Transport, moves: Sequence[tuple[Path, str, str]]) -> float:
    client = paramiko.SFTPClient.from_transport(transport)
    assert client
    started = time.perf_counter()
    for file, temporary, final in moves:
        client.putfo(io.BytesIO(file.read_bytes()), temporary)
        client.posix_rename(temporary, final)
    return len(moves) / (time.perf_counter() - started)


def _transport(place: Place) -> paramiko.Transport:
    transport = paramiko.Transport((place.server.host, place.port))
    transport.connect(
        username=place.server.username, pkey=paramiko.Ed25519Key.from_private_key(io.StringIO(place.server.private_key))
    )
    return transport


def asyncssh_at_once(place: Place, many: int) -> float:
    return asyncio.run(_asyncssh(place, many))


async def _asyncssh(place: Place, many: int) -> float:
    turn = asyncio.Semaphore(many)
    key = asyncssh.import_private_key(place.server.private_key)
    async with (
        asyncssh.connect(
            place.server.host, place.port, username=place.server.username, client_keys=[key], known_hosts=None
        ) as connection,
        connection.start_sftp_client() as client,
    ):

        async def put(file: Path, temporary: str, final: str) -> None:
            async with turn:
                async with client.open(temporary, "wb") as remote:
                    await remote.write(file.read_bytes())
                await client.rename(temporary, final)

        started = time.perf_counter()
        await asyncio.gather(*(put(*move) for move in place.moves))
        return len(place.files) / (time.perf_counter() - started)
