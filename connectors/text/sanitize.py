"""Text that a server chose: banners, status messages, names."""

import unicodedata

MAX_LENGTH = 500


def tame(text: str | bytes, limit: int = MAX_LENGTH) -> str:
    """One line of at most `limit` printable characters, safe in a log and a terminal. Still to be escaped in HTML."""
    if isinstance(text, bytes):
        text = text[: 8 * MAX_LENGTH].decode("utf-8", "replace")
    # Category C holds control, format (bidirectional overrides), surrogate and private characters.
    visible = text[: 4 * MAX_LENGTH]
    if not visible.isprintable():
        visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in visible)
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def said(words: str | bytes) -> str:
    """What a server said, in parentheses and short enough to leave room for the next step; empty for no words."""
    text = tame(words, 100)
    return f" (the server says: {text})" if text else ""
