"""How many conversations may be under way at once."""

LARGEST = 256


class Window:
    """Halved when the server refuses a handle while it has given out others; kept for the session."""

    def __init__(self, size: int = LARGEST) -> None:
        self.size = size
        self._proven = size

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
