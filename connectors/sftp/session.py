"""An open SFTP session: conversations in, one outcome for each out."""

from collections.abc import Sequence
from itertools import count
from typing import TypeVar

from connectors.exceptions import ConnectorError, TransientError
from connectors.sftp.batch import Batch
from connectors.sftp.connect import connect
from connectors.sftp.conversations import Conversation
from connectors.sftp.packets import ProtocolError
from connectors.sftp.target import SFTPTarget
from connectors.sftp.window import Window
from connectors.sftp.wire import ConnectionLost
from connectors.steps import Steps

T = TypeVar("T")


class SFTPSession:
    """For one thread at a time. Once the connection is lost, the session is closed and stays so."""

    def __init__(self, target: SFTPTarget, *, steps: Steps | None = None) -> None:
        """Connects. Raises `ConnectorError`."""
        self._target = target
        self._link, self._wire = connect(target, steps or Steps())
        self._window = Window()
        self._ids = count(1)
        self._closed = False

    def run(self, conversations: Sequence[Conversation[T]]) -> list[T | ConnectorError]:
        """One outcome each, in order; one that fails does not stop the others. Raises `TransientError` when closed."""
        if self._closed:
            raise TransientError(f"The session with {self._target.peer} has ended. A new one may work.")
        batch = Batch(self._wire, self._window, self._ids, conversations)
        lost = None
        self._link.watchdog.allow_batch(len(conversations), self._target.timeout_s)
        try:
            batch.run()
        except ConnectionLost as error:
            lost = str(error)
        except ProtocolError as error:
            lost = f"{self._target.peer} broke the SFTP protocol with {error}."
        except BaseException:
            # Whatever interrupted it, answers are still on their way: nobody could tell them from later ones.
            self.close()
            raise
        self._link.watchdog.rest()
        if lost:
            self.close()
        return batch.outcomes(lost)

    def ask(self, conversation: Conversation[T]) -> T:
        """The outcome of a single one; raises where it failed."""
        (outcome,) = self.run([conversation])
        if isinstance(outcome, ConnectorError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Idempotent, never raises."""
        if not self._closed:
            self._closed = True
            self._link.close()

    @property
    def is_closed(self) -> bool:
        return self._closed
