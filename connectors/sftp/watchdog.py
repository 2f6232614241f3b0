"""One deadline for a whole job.

Paramiko's own timeouts start anew with every byte that drips in, its writes have none, and opening a subsystem waits
for ever. Shutting the socket down wakes all of them.
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
        self._sock = sock
        self._silence_s = math.inf
        self._end = math.inf
        self._deadline = math.inf
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="sftp-watchdog", daemon=True)
        self._thread.start()

    def allow_until(self, end: float) -> None:
        """Whatever happens meanwhile. `end` is a time of the monotonic clock."""
        self._set(end=end, silence_s=math.inf)

    def allow_batch(self, items: int, silence_s: float) -> None:
        """Ends after `silence_s` without a byte either way, or when progress stays below the slowest bearable."""
        self._set(end=monotonic() + silence_s + items * SECONDS_PER_ITEM, silence_s=silence_s)

    def progress(self, size: int) -> None:
        """`size` bytes went or came. Cheap: the thread finds the later deadline when it wakes at the earlier one."""
        self._end += size / BYTES_PER_SECOND
        self._deadline = min(monotonic() + self._silence_s, self._end)

    def rest(self) -> None:
        self._silence_s = self._end = self._deadline = math.inf

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _set(self, *, end: float, silence_s: float) -> None:
        with self._changed:
            self._end = end
            self._silence_s = silence_s
            self._deadline = min(monotonic() + silence_s, end)
            self._changed.notify()

    def _watch(self) -> None:
        if self._waited_in_vain():
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
