"""A channel on which nothing waits for ever."""

from collections.abc import Callable

from paramiko import Channel, SSHException

from connectors.sftp.protocol.packets import SSH_PAYLOAD, Answer, split
from connectors.sftp.transport import Link

_CHUNK = 1024 * 1024


class ConnectionLost(Exception):
    """The channel is of no further use; the text is a sentence that says what happened."""


def _permitted() -> None:
    """No lease to lose."""


class Wire:
    def __init__(self, channel: Channel, link: Link) -> None:
        self._channel = channel
        self._link = link
        self._watchdog = link.watchdog
        self._rest = b""
        # Raises what forbids to send; asked before each packet, for the process may be paused between two.
        self.permit: Callable[[], None] = _permitted

    def send(self, data: bytes) -> None:
        """Raises `ConnectionLost`, and what `permit` raises."""
        # Cut here, for `sendall` copies all that remains once for every packet.
        for start in range(0, len(data), SSH_PAYLOAD):
            packet = data[start : start + SSH_PAYLOAD]
            self.permit()
            try:
                self._channel.sendall(packet)
            except (OSError, EOFError, SSHException) as error:
                raise self._lost() from error
            self._watchdog.progress(len(packet))

    def receive(self) -> list[tuple[int, Answer]]:
        """At least one complete answer. Raises `ConnectionLost`, `ProtocolError`."""
        answers: list[tuple[int, Answer]] = []
        while not answers:
            # Kept first: bytes that are not SFTP may be the server's reason.
            self._rest += self._receive()
            answers, self._rest = split(self._rest)
        return answers

    @property
    def unread(self) -> bytes:
        """What was received and is no complete answer."""
        return self._rest

    @property
    def is_quiet(self) -> bool:
        """Open both ways, and nothing has come that nobody asked for."""
        channel = self._channel
        return self._link.is_quiet and not (
            channel.closed or channel.eof_received or channel.recv_ready() or self._rest
        )

    def _receive(self) -> bytes:
        try:
            received = self._channel.recv(_CHUNK)
        except (OSError, EOFError, SSHException) as error:
            raise self._lost() from error
        if not received:
            raise self._lost()
        self._watchdog.progress(len(received))
        return received

    def _lost(self) -> ConnectionLost:
        if self._watchdog.was_slow:
            return ConnectionLost(f"{self._link.peer} was too slow to come to an end in time.")
        if self._watchdog.barked:
            return ConnectionLost(f"{self._link.peer} did not answer within {self._link.patience}.")
        return ConnectionLost(f"{self._link.peer} closed the connection.")
