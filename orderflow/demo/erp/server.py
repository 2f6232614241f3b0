"""The stand-in ERP as a whole: a real SFTP server over its folder, and the loop that works through what arrives."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from orderflow.demo.erp.inbox import Inbox

HOST = "127.0.0.1"
USERNAME = "orderflow"
LOOK_EVERY_S = 0.1

# A library's greeting per session is no news of the ERP's.
asyncssh.set_log_level(logging.WARNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How to reach a running ERP: `host_key` as a connection pins it, `private_key` in OpenSSH's form."""

    port: int
    host_key: str
    private_key: str = field(repr=False)

    def __str__(self) -> str:
        return f"sftp://{USERNAME}@{HOST}:{self.port}"

    @property
    def connection_config(self) -> dict[str, str | int]:
        """What a connection of type DROPZONE_JSON_V1 has to be told."""
        return {
            "mode": "sftp",
            "host": HOST,
            "port": self.port,
            "username": USERNAME,
            "private_key": self.private_key,
            "host_key": self.host_key,
            "export_path": "/in",
            "ack_path": "/acks",
        }


@contextmanager
def running_erp(folder: Path, *, port: int = 0) -> Iterator[Access]:
    """An ERP with fresh keys on a loopback port (0: a free one), in a thread, for as long as the block runs."""
    inbox, server, stop = Inbox(folder), _Server(folder), asyncio.Event()
    with asyncio.Runner() as runner:
        access = runner.run(server.open(port))
        thread = threading.Thread(target=runner.run, args=(_work(inbox, stop),), name="stand-in ERP")
        thread.start()
        try:
            yield access
        finally:
            runner.get_loop().call_soon_threadsafe(stop.set)
            thread.join()
            runner.run(server.close())


class _Server:
    """SFTP for one user with one key, who sees `folder` and nothing above it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client_key = asyncssh.generate_private_key("ssh-ed25519")
        self._sessions: set[asyncssh.SSHServerConnection] = set()

    async def open(self, port: int) -> Access:
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._listener = await asyncssh.listen(
            HOST,
            port,
            server_factory=lambda: _Door(self._client_key.convert_to_public(), self._sessions),
            server_host_keys=[host_key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=bytes(self._folder)),
            allow_pty=False,
        )
        kind, key, *_comment = host_key.export_public_key().decode().split()
        return Access(
            port=self._listener.get_port(),
            host_key=f"{kind} {key}",
            private_key=self._client_key.export_private_key().decode(),
        )

    async def close(self) -> None:
        self._listener.close()
        for session in list(self._sessions):
            session.abort()
        await self._listener.wait_closed()


class _Door(asyncssh.SSHServer):
    """Who may come in, and who is in."""

    def __init__(self, key: asyncssh.SSHKey, sessions: set[asyncssh.SSHServerConnection]) -> None:
        self._key = key
        self._sessions = sessions

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._session = conn
        self._sessions.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self._sessions.discard(self._session)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USERNAME and key == self._key


async def _work(inbox: Inbox, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        for name, decision in inbox.take():
            loop.call_later(decision.after_s, inbox.answer, name, decision)
        await asyncio.sleep(LOOK_EVERY_S)
