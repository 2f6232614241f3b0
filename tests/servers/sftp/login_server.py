"""An SFTP server of Paramiko whose logins go as a test lays them down: in several steps, with prompts, with an end."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import paramiko
from paramiko import Message
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery
from paramiko.sftp import SFTP_OK

from tests.servers.sftp.sftp_server import SFTPServer

USERNAME, PASSWORD = "erp", "correct horse"
# What OpenSSH says to an account whose password has expired.
EXPIRED = "WARNING: Your password has expired.\nPassword change required but no TTY available.\n"
KEY, PASS, ASK = "publickey", "password", "keyboard-interactive"

Hook = Callable[[paramiko.Transport], None]


@dataclass(frozen=True, kw_only=True)
class Round:
    """Prompts with their echo flags, and the responses that are right."""

    prompts: Sequence[tuple[str, bool]] = (("Password: ", False),)
    responses: Sequence[str] = (PASSWORD,)
    instructions: str = ""


@dataclass(kw_only=True)
class LoginServer(SFTPServer):
    """`steps` are the methods that may be used one after the other: each step takes one of its methods. `accepts` are
    the methods that succeed. `on_password` runs in place of the check of a password. `attempts` is what was offered,
    `refused` counts what was rejected."""

    private_key: str
    password: str | None = PASSWORD
    steps: Sequence[Sequence[str]] = ((KEY, PASS),)
    accepts: Sequence[str] = (KEY, PASS, ASK)
    rounds: Sequence[Round] = (Round(),)
    on_connect: Hook | None = None
    on_password: Hook | None = None
    on_session: Hook | None = None
    # Said as a login succeeds.
    greeting: str = ""
    # Opens no channel.
    is_full: bool = False
    # What is said in place of a session, on the error output of the channels of these requests.
    says: str = ""
    says_to: Sequence[str] = ("subsystem", "exec")
    attempts: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0


class _Gate(paramiko.ServerInterface):
    def __init__(self, server: LoginServer, public_key: paramiko.PKey, transport: paramiko.Transport) -> None:
        self._server = server
        self._public_key = public_key
        self._transport = transport
        self._passed = 0
        self._round = 0

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return ",".join(self._server.steps[min(self._passed, len(self._server.steps) - 1)])

    def check_auth_none(self, username: str) -> int:  # noqa: ARG002
        if self._server.on_connect:
            self._server.on_connect(self._transport)
        return AUTH_SUCCESSFUL if not self._server.steps else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        self._server.attempts.append((PASS, password))
        if self._server.on_password:
            self._server.refused += 1
            self._server.on_password(self._transport)
            return AUTH_FAILED
        return self._judged(PASS, username == USERNAME and password == PASSWORD)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._server.attempts.append((KEY, key.get_name()))
        return self._judged(KEY, username == USERNAME and key == self._public_key)

    def check_auth_interactive(self, username: str, submethods: str) -> Any:  # noqa: ARG002
        return self._query() if ASK in self._allowed() else AUTH_FAILED

    def check_auth_interactive_response(self, responses: list[str]) -> Any:
        if responses:
            self._server.attempts.append((ASK, "|".join(responses)))
        if list(responses) != list(self._server.rounds[self._round].responses):
            return self._judged(ASK, False)
        self._round += 1
        return self._query() if self._round < len(self._server.rounds) else self._judged(ASK, True)

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        if self._server.on_session:
            self._server.on_session(self._transport)
        return OPEN_FAILED_RESOURCE_SHORTAGE if self._server.is_full else OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        if self._server.says:
            self._end(channel, "subsystem")
            return True
        return super().check_channel_subsystem_request(channel, name)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: ARG002
        self._end(channel, "exec")
        return True

    def _end(self, channel: paramiko.Channel, request: str) -> None:
        """As a session ends that was not begun. Behind what the client sends, so behind the answer to its request."""

        def end() -> None:
            channel.recv(1)
            if request in self._server.says_to:
                channel.sendall_stderr(self._server.says.encode())
            channel.send_exit_status(1)
            channel.close()

        threading.Thread(target=end, daemon=True).start()

    def _allowed(self) -> Sequence[str]:
        return self._server.steps[self._passed]

    def _query(self) -> InteractiveQuery:
        asked = self._server.rounds[self._round]
        return InteractiveQuery("", asked.instructions, *asked.prompts)

    def _judged(self, method: str, right: bool) -> int:
        if not right or method not in self._allowed() or method not in self._server.accepts:
            self._server.refused += 1
            return AUTH_FAILED
        self._passed += 1
        if self._passed < len(self._server.steps):
            return AUTH_PARTIALLY_SUCCESSFUL
        if self._server.greeting:
            _say(self._transport, self._server.greeting)
        return AUTH_SUCCESSFUL


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, *, root: Path) -> None:
        super().__init__(server)
        self._root = root

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _done(self, act: Callable[[], Any]) -> int:
        try:
            act()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return SFTP_OK

    def _seen(self, look: Callable[[], os.stat_result]) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(look())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002
        try:
            fd = os.open(self._at(path), flags, 0o644)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        handle = paramiko.SFTPHandle(flags)
        file = os.fdopen(fd, "wb" if flags & os.O_WRONLY else "rb")
        handle.writefile = handle.readfile = file  # type: ignore[attr-defined]  # as Paramiko's demo does
        handle.stat = lambda: self._seen(lambda: _flushed(file))  # type: ignore[method-assign]
        return handle

    def stat(self, path: str) -> Any:
        return self._seen(self._at(path).stat)

    def lstat(self, path: str) -> Any:
        return self._seen(self._at(path).lstat)

    def list_folder(self, path: str) -> Any:
        found = []
        for each in self._at(path).iterdir():
            entry = paramiko.SFTPAttributes.from_stat(each.lstat())
            entry.filename = each.name
            found.append(entry)
        return found

    def remove(self, path: str) -> int:
        return self._done(self._at(path).unlink)

    def rename(self, old: str, new: str) -> int:
        return self._done(lambda: self._at(old).rename(self._at(new)))

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self.rename(oldpath, newpath)

    def mkdir(self, path: str, attr: Any) -> int:  # noqa: ARG002
        return self._done(self._at(path).mkdir)


def _flushed(file: Any) -> os.stat_result:
    file.flush()
    return os.fstat(file.fileno())


def hang_up(transport: paramiko.Transport) -> None:
    transport.close()


def reset(transport: paramiko.Transport) -> None:
    assert isinstance(transport.sock, socket.socket)
    transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    transport.close()


def disconnect(code: int, words: str | bytes) -> Hook:
    def say_goodbye(transport: paramiko.Transport) -> None:
        message = Message()
        message.add_byte(b"\x01")
        message.add_int(code)
        message.add_string(words)
        message.add_string("en")
        transport._send_message(message)  # type: ignore[attr-defined]  # not in the stubs
        transport.close()

    return say_goodbye


def banner_then_hang_up(words: str) -> Hook:
    """As sshd does when PAM finds that the account has expired."""

    def say(transport: paramiko.Transport) -> None:
        _say(transport, words)
        transport.close()

    return say


def _say(transport: paramiko.Transport, words: str) -> None:
    """In a message of the authentication protocol."""
    message = Message()
    message.add_byte(b"\x35")
    message.add_string(words)
    message.add_string("en")
    transport._send_message(message)  # type: ignore[attr-defined]  # not in the stubs


@contextlib.contextmanager
def login_server(root: Path, **script: Any) -> Iterator[LoginServer]:
    """`script` are fields of `LoginServer`."""
    root.mkdir(parents=True, exist_ok=True)
    host_key, user_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    transports: list[paramiko.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = LoginServer(
            host="127.0.0.1",
            port=listener.getsockname()[1],
            root=root,
            host_key=f"{host_key.get_name()} {host_key.get_base64()}",
            username=USERNAME,
            private_key=_text(user_key),
            **script,
        )

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    transport = paramiko.Transport(client)
                    transports.append(transport)
                    transport.set_log_channel("tests.login_server")
                    transport.add_server_key(host_key)
                    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, root=root)
                    with contextlib.suppress(EOFError, paramiko.SSHException):
                        transport.start_server(threading.Event(), _Gate(server, user_key, transport))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for transport in transports:
                transport.close()


def _text(key: paramiko.PKey) -> str:
    text = StringIO()
    key.write_private_key(text)
    return text.getvalue()
