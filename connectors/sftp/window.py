"""How many conversations may be under way at once."""

import math

# To a server that answers at once, more only keep both sides' memory busy: a third slower on loopback.
NEAR = 64
# To one that is far away, as many as are on the road.
FAR = 256
FAR_AWAY_S = 0.002


class Window:
    """As wide as the way to the server is long, by the quickest first answer so far. Halved when the server refuses a
    handle while it has given out others, and kept so for the session."""

    def __init__(self) -> None:
        self.size = NEAR
        self._proven: int | None = None
        self._first_answer_s = math.inf

    def answered_after(self, seconds: float) -> None:
        """How long the first answer of a batch took."""
        self._first_answer_s = min(self._first_answer_s, seconds)
        if self._proven is None:
            self.size = self._widest

    def shrink(self, asked_under: int) -> None:
        """A whole window of requests may be refused for one reason: only those asked under the present size count."""
        if asked_under == self.size:
            self.size = max(1, self.size // 2)

    def confirm(self) -> None:
        """What was refused before was given now: fewer at once is what the server needs."""
        self._proven = self.size

    def restore(self) -> None:
        """The server refuses with no handle given out as well, so it is not about their number."""
        self.size = self._proven or self._widest

    @property
    def _widest(self) -> int:
        return FAR if self._first_answer_s > FAR_AWAY_S else NEAR
