"""How much may be under way at once."""

import math

# Conversations.
WIDEST = 256

# Bytes on their way, answers included. From a server that answers at once, more only keep both sides' memory busy: a
# third slower on loopback.
NEAR_BYTES = 640 * 1024
# To one that is far away, as many as are on the road. OpenSSH's channel takes 2 MB at once, so more would only wait
# here; and it is far below the window for answers, for a server that cannot answer stops reading, and then both sides
# would wait.
FAR_BYTES = 2 * 1024 * 1024
FAR_AWAY_S = 0.002


class Window:
    """In bytes as wide as the way to the server is long, by the quickest first answer so far. In conversations halved
    when the server refuses a handle while it has given out others, and kept so for the session."""

    def __init__(self) -> None:
        self.size = WIDEST
        self._proven = WIDEST
        self._first_answer_s = math.inf

    @property
    def bytes(self) -> int:
        return FAR_BYTES if self._first_answer_s > FAR_AWAY_S else NEAR_BYTES

    def answered_after(self, seconds: float) -> None:
        """How long the first answer of a batch took."""
        self._first_answer_s = min(self._first_answer_s, seconds)

    def shrink(self, asked_under: int) -> None:
        """A whole window of requests may be refused for one reason: only those asked under the present size count."""
        if asked_under == self.size:
            self.size = max(1, self.size // 2)

    def confirm(self) -> None:
        """What was refused before was given now: fewer at once is what the server needs."""
        self._proven = self.size

    def restore(self) -> None:
        """The server refuses with no handle given out as well, so it is not about their number."""
        self.size = self._proven
