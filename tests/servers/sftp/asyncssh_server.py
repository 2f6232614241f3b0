"""An SFTP server of asyncssh in a thread: logs in by password and by key, and takes orders to misbehave."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from tests.servers.sftp.sftp_server import SFTPServer

USERNAME, PASSWORD = "erp", "correct horse"


@dataclass(kw_only=True)
class AsyncSSHServer(SFTPServer):
    """`root` is the server's `/`. `attempts` is what was offered to log in with: users, passwords, keys."""

    private_key: str
    username: str = USERNAME
    password: str | None = PASSWORD
    attempts: list[tuple[str, str]] = field(default_factory=list)
    # What the server says as it asks for a new password; empty, the password is still good.
    expired: str = ""
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)


class _Gate(asyncssh.SSHServer):
    def __init__(self, server: AsyncSSHServer, public_key: asyncssh.SSHKey) -> None:
        self._server = server
        self._public_key = public_key

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        self._server.attempts.append(("user", username))
        return True

    def password_auth_supported(self) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.attempts.append(("password", password))
        if self._server.expired:
            raise asyncssh.PasswordChangeRequired(self._server.expired)
        return (username, password) == (USERNAME, PASSWORD)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._server.attempts.append(("key", key.get_fingerprint()))
        return username == USERNAME and key == self._public_key


@contextlib.contextmanager
def asyncssh_server(
    root: Path,
    *,
    sftp_class: type[asyncssh.SFTPServer] = asyncssh.SFTPServer,
    host_key: asyncssh.SSHKey | None = None,
    user_key: asyncssh.SSHKey | None = None,
    further_host_keys: Sequence[asyncssh.SSHKey] = (),
    port: int = 0,
    expired: str = "",
    **options: Any,
) -> Iterator[AsyncSSHServer]:
    """`options` go to `asyncssh.listen`; with a `process_factory` among them the server has no SFTP of its own."""
    root.mkdir(parents=True, exist_ok=True)
    host_key = host_key or asyncssh.generate_private_key("ssh-ed25519")
    user_key = user_key or asyncssh.generate_private_key("ssh-ed25519")
    server = AsyncSSHServer(
        host="127.0.0.1",
        port=port,
        root=root,
        private_key=user_key.export_private_key().decode(),
        host_key=" ".join(host_key.export_public_key().decode().split()[:2]),
        expired=expired,
    )
    if "process_factory" not in options:
        options["sftp_factory"] = lambda channel: sftp_class(channel, chroot=str(root).encode())
    with _running_loop() as run:
        acceptor = run(
            asyncssh.listen(
                server.host,
                port,
                server_host_keys=[host_key, *further_host_keys],
                server_factory=lambda: _Gate(server, user_key.convert_to_public()),
                **options,
            )
        )
        server.port = acceptor.get_port()
        try:
            yield server
        finally:
            run(_closed(acceptor, server))


async def _closed(acceptor: asyncssh.SSHAcceptor, server: AsyncSSHServer) -> None:
    acceptor.close()
    for connection in server.connections:
        connection.abort()
    await asyncio.gather(*(connection.wait_closed() for connection in server.connections))
    await acceptor.wait_closed()
    # What was told to wait for ever.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@contextlib.contextmanager
def _running_loop() -> Iterator[Callable[[Any], Any]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asyncssh-server", daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(_awaited(coroutine), loop).result(20)

    try:
        yield run
    finally:
        # In its own thread: another may have a loop running.
        run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
