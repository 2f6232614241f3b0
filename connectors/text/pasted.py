"""Text that people paste: what an editor, a web page or a terminal added to it is removed."""

import re

# Zero-width characters, marks of direction, and a byte order mark.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_BLANKS = re.compile(r"[^\S\n]")


def tidy(text: str) -> str:
    """`text` with plain blanks and line feeds, each line stripped, and without invisible characters."""
    visible = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = (_BLANKS.sub(" ", line).strip() for line in visible.split("\n"))
    return "\n".join(lines).strip("\n")


def trimmed(text: str) -> str:
    """`text` without blanks and invisible characters at both ends."""
    while (shorter := _INVISIBLE.sub("", text[:1]).strip() + text[1:]) != text:
        text = shorter
    while (shorter := text[:-1] + _INVISIBLE.sub("", text[-1:]).strip()) != text:
        text = shorter
    return text
