"""An open SFTP session: conversations in, one outcome for each out."""

import logging
import math
from collections.abc import Sequence
from itertools import count
from time import monotonic
from typing import TypeVar

from connectors.exceptions import ConnectorError, TransientError
from connectors.fencing import Fence
from connectors.sftp.channel import ConnectionLost
from connectors.sftp.connect import connect
from connectors.sftp.protocol.file_operations import Conversation, lstat
from connectors.sftp.protocol.flow_control import Window
from connectors.sftp.protocol.packets import Answer, PacketType, ProtocolError
from connectors.sftp.protocol.pipeline import Batch
from connectors.sftp.protocol.responses import status_of
from connectors.sftp.target import SFTPTarget
from connectors.text.sanitize import tame
from connectors.types.test_results import Steps

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A session that takes longer over one request than a new one over logging in is not worth keeping.
_PATIENCE_S = 5


class SFTPSession:
    """For one thread at a time. Once the connection is lost, the session is closed and stays so."""

    def __init__(
        self,
        target: SFTPTarget,
        *,
        steps: Steps | None = None,
        ends_at: float = math.inf,
        fence: Fence | None = None,
    ) -> None:
        """Connects. Raises `ConnectorError`."""
        self._target = target
        # When the job that it is used for has to be over, whatever the server does.
        self.ends_at = ends_at
        # The lease of its present user: without it, nothing more is sent.
        self.fence = fence or Fence()
        self._link, self._wire, self.manners = connect(target, steps or Steps(), ends_at)
        self._window = Window()
        self._ids = count(1)
        self._closed = False
        self._doubtful = False
        self._flush_refused = False
        self.opened_at = monotonic()
        # Directories that are being read: their handles are the server's to give, and ours to give back.
        self.listings = 0

    def run(
        self, conversations: Sequence[Conversation[T]], *, silence_s: float | None = None
    ) -> list[T | ConnectorError]:
        """One outcome each, in order; one that fails does not stop the others. `silence_s` replaces the target's
        timeout. Raises `TransientError` when closed, `LeaseLost` when the user's lease is lost."""
        if not conversations:
            # Also when the session has ended over what came before: that has told why.
            return []
        if self._closed:
            raise TransientError(f"The session with {self._target.peer} has ended. A new one may work.")
        batch = Batch(self._wire, self._window, self._ids, conversations)
        lost = None
        self._link.watchdog.allow_batch(len(conversations), silence_s or self._target.timeout_s, self.ends_at)
        self._wire.permit = self.fence.check
        try:
            with self.fence.guarding(self._link.abort):
                batch.run()
        except ConnectionLost as error:
            lost = str(error)
        except ProtocolError as error:
            lost = f"{self._target.peer} broke the SFTP protocol with {error}."
        except BaseException:
            # Whatever interrupted it, answers are still on their way: nobody could tell them from later ones.
            self._abort()
            raise
        self._link.watchdog.rest()
        if lost:
            self._abort()
            self.fence.check()
        outcomes = batch.outcomes(lost)
        self._doubtful |= any(isinstance(outcome, TransientError) for outcome in outcomes)
        return outcomes

    def ask(self, conversation: Conversation[T]) -> T:
        """The outcome of a single one; raises where it failed."""
        (outcome,) = self.run([conversation])
        if isinstance(outcome, ConnectorError):
            raise outcome
        return outcome

    def flush_refused(self, answer: Answer) -> None:
        """Said once: it holds of the storage and not of one file."""
        if not self._flush_refused:
            self._flush_refused = True
            code, words = status_of(answer) if answer.kind == PacketType.STATUS else (None, b"")
            reason = tame(words) or f"status {code}"
            logger.warning("%s does not flush files to its disk, and delivers without: %s", self._target.peer, reason)

    def close(self) -> None:
        """Idempotent, never raises."""
        if not self._closed:
            self._closed = True
            self._link.close()

    def _abort(self) -> None:
        """Close without sending what the kernel still holds: it must not reach the server after a later session."""
        self._link.abort()
        self.close()

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def is_sound(self) -> bool:
        """As good as new, as far as can be told without asking the server."""
        return not (self._closed or self._doubtful or self.listings) and self._wire.is_quiet

    def answers(self) -> bool:
        """One round trip."""
        (outcome,) = self.run([lstat(".")], silence_s=min(_PATIENCE_S, self._target.timeout_s))
        return not isinstance(outcome, TransientError)
