"""One deadline for a whole job.

A socket's own timeout starts anew with every byte that drips in; so do Paramiko's, its writes have none, and opening a
subsystem waits for ever. Shutting the socket down wakes all of them.
"""

import math
import socket
import threading
from contextlib import suppress
from time import monotonic

# Slower than this is as good as stuck.
BYTES_PER_SECOND = 64 * 1024
# A server may take its time over a file, however small.
SECONDS_PER_ITEM = 1


class Watchdog:
    def __init__(self, sock: socket.socket) -> None:
        self.barked = False
        # It barked at a server that went on, and did not come to an end.
        self.was_slow = False
        self._sock = sock
        self._silence_s = math.inf
        self._end = math.inf
        self._until = math.inf
        self._deadline = math.inf
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def allow_until(self, end: float) -> None:
        """Whatever happens meanwhile. `end` is a time of the monotonic clock."""
        self._set(end=end, silence_s=math.inf)

    def allow_batch(self, items: int, silence_s: float, until: float = math.inf) -> None:
        """Ends after `silence_s` without a byte either way, or when progress stays below the slowest bearable; `until`
        is a time of the monotonic clock that no progress puts off."""
        end = monotonic() + silence_s + items * SECONDS_PER_ITEM
        self._set(end=end, silence_s=silence_s, until=until)

    def progress(self, size: int) -> None:
        """`size` bytes went or came. Cheap: the thread finds the later deadline when it wakes at the earlier one."""
        self._end += size / BYTES_PER_SECOND
        self._deadline = min(monotonic() + self._silence_s, self._end, self._until)

    def rest(self) -> None:
        self._silence_s = self._end = self._until = self._deadline = math.inf

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _set(self, *, end: float, silence_s: float, until: float = math.inf) -> None:
        with self._changed:
            self._end = end
            self._silence_s = silence_s
            self._until = until
            self._deadline = min(monotonic() + silence_s, end, until)
            self._changed.notify()

    def _watch(self) -> None:
        if self._waited_in_vain():
            self.was_slow = self._deadline >= min(self._end, self._until)
            self.barked = True
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def _waited_in_vain(self) -> bool:
        with self._changed:
            while not self._stopped:
                left = self._deadline - monotonic()
                if left <= 0:
                    return True
                self._changed.wait(None if math.isinf(left) else left)
        return False
