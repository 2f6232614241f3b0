"""What a test lets fail."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.servers.faulty.faults import Fails
from tests.servers.faulty.server import Call
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.support.threads import at_once


@dataclass(kw_only=True)
class FailsAt(Fails):
    """Where the path of the call ends with `name`."""

    name: str

    def is_about(self, call: Call) -> bool:
        return bytes(call.arguments[0]).endswith(self.name.encode())


class Attempts(list[tuple[str, str]]):
    """What the server was offered, and `act` at the first password, while the client waits for the response."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act: Callable[[], object] | None = act

    def append(self, attempt: tuple[str, str]) -> None:
        super().append(attempt)
        if attempt[0] == "password" and self.act:
            act, self.act = self.act, None
            # Django works in no thread that has an event loop.
            at_once(act, 1)


def passwords(server: AsyncSSHServer) -> list[str]:
    return [offered for kind, offered in server.attempts if kind == "password"]
