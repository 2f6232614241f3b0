"""Sessions that wait for their connection's next use: logging in costs more than most batches do."""

import atexit
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from connectors.fencing import Fence
from connectors.sftp.session import SFTPSession
from connectors.sftp.target import SFTPTarget

# Delivery and polling of one connection may each leave one behind.
IDLE_PER_KEY = 2
# Each costs a socket and two threads, and Paramiko's looks up ten times a second.
IDLE_IN_ALL = 32
# Who closes a connection says so at once; only one whose network fell silent has to be asked.
ASK_AFTER_S = 3
# A name may lead elsewhere by then, an account be closed: then a busy session ends too.
LONGEST_LIFE_S = 15 * 60

_CLOSER_JOIN_S = 1


class Owner(NamedTuple):
    """Whose sessions these are: a connection's, as of one edit."""

    connection_id: UUID
    revision: int


class Key(NamedTuple):
    """The target itself and no digest of it: whatever matters for connecting is compared, secrets too."""

    owner: Owner
    target: SFTPTarget


@dataclass(frozen=True, kw_only=True, slots=True)
class _Idle:
    key: Key
    session: SFTPSession
    until: float
    since: float = field(default_factory=monotonic)

    def is_alive(self) -> bool:
        now = monotonic()
        if now >= self.until or not self.session.is_sound:
            return False
        return now < self.since + ASK_AFTER_S or self.session.answers()


class SessionPool:
    """Idle sessions of this process, those of one key for nobody else, each for one borrower at a time."""

    def __init__(self) -> None:
        self._idle: list[_Idle] = []
        self._changed = threading.Condition()
        self._closer: threading.Thread | None = None
        self._left_to_parent: list[_Idle] = []

    @contextmanager
    def borrowed(
        self, key: Key, *, idle_s: float, ends_at: float = math.inf, fence: Fence | None = None
    ) -> Iterator[SFTPSession]:
        """A session, fresh where none waits; kept for `idle_s` afterwards unless there is any doubt about it. It is
        cut at `ends_at` if it is still in use then, and earlier when the lease behind `fence` is lost.

        Raises `ConnectorError`.
        """
        fence = fence or Fence()
        session = self._take(key, ends_at, fence) or SFTPSession(key.target, ends_at=ends_at, fence=fence)
        kept = False
        try:
            yield session
            kept = self._keep(key, session, idle_s)
        finally:
            if not kept:
                session.close()

    def close_idle(self, connection_id: UUID) -> None:
        self._close_where(lambda idle: idle.key.owner.connection_id == connection_id)

    def close_all(self) -> None:
        self._close_where(lambda _: True)
        with self._changed:
            closer = self._closer
            self._changed.notify_all()
        if closer:
            closer.join(_CLOSER_JOIN_S)

    def forget(self) -> None:
        """In a forked child: the sessions are the parent's, and whoever held the lock is not here.

        They are not let go of either, for Paramiko would take leave of the server over the parent's connection.
        """
        self._left_to_parent += self._idle
        self._idle = []
        self._changed = threading.Condition()
        self._closer = None

    def _take(self, key: Key, ends_at: float, fence: Fence) -> SFTPSession | None:
        """The first that is alive, the one used last before the others. What is left of an older edit is closed."""
        self._close_where(lambda idle: idle.key.owner.connection_id == key.owner.connection_id and idle.key != key)
        while idle := self._pop(key):
            # Before it is asked: the job that it was used for last has had its end.
            idle.session.ends_at, idle.session.fence = ends_at, fence
            if idle.is_alive():
                return idle.session
            idle.session.close()
        return None

    def _pop(self, key: Key) -> _Idle | None:
        with self._changed:
            found = next((idle for idle in reversed(self._idle) if idle.key == key), None)
            if found:
                self._idle.remove(found)
        return found

    def _keep(self, key: Key, session: SFTPSession, idle_s: float) -> bool:
        end = min(monotonic() + idle_s, session.opened_at + LONGEST_LIFE_S)
        if not session.is_sound or end <= monotonic():
            return False
        with self._changed:
            if sum(idle.key == key for idle in self._idle) >= IDLE_PER_KEY:
                return False
            self._idle.append(_Idle(key=key, session=session, until=end))
            crowded_out = self._idle[:-IDLE_IN_ALL]
            self._close_in_time()
        self._close_where(lambda idle: idle in crowded_out)
        return True

    def _close_where(self, is_due: Callable[[_Idle], bool]) -> None:
        with self._changed:
            due = [idle for idle in self._idle if is_due(idle)]
            self._idle = [idle for idle in self._idle if idle not in due]
        for idle in due:
            idle.session.close()

    def _close_in_time(self) -> None:
        if self._closer:
            self._changed.notify_all()
        else:
            self._closer = threading.Thread(target=self._close_expired, name="sftp-idle", daemon=True)
            self._closer.start()

    def _close_expired(self) -> None:
        while self._wait_for_next_end():
            self._close_where(lambda idle: idle.until <= monotonic())

    def _wait_for_next_end(self) -> bool:
        """False when nothing is left to wait for: then the thread ends."""
        with self._changed:
            if not self._idle:
                self._closer = None
                return False
            self._changed.wait(max(0, min(idle.until for idle in self._idle) - monotonic()))
        return True


sessions = SessionPool()
os.register_at_fork(after_in_child=sessions.forget)
atexit.register(sessions.close_all)
