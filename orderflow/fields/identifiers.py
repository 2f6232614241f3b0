"""The one rule for texts that identify something: order and customer numbers, SKUs, units, codes, unique names.

Two identifiers are the same when they are equal after `normalised`; case matters. The rule knows no model, so that
readers of files and connectors use it too.
"""

import sys
import unicodedata

# Invisible, but not whitespace to Python: zero-width space, non-joiner and joiner, word joiner, byte order mark.
_ZERO_WIDTH = "\u180e\u200b\u200c\u200d\u2060\ufeff"
_SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
_EDGES = "".join(_SPACES) + _ZERO_WIDTH
# No-break and typographic spaces look like a plain one, and are typed by nobody on purpose.
_PLAIN = str.maketrans({space: " " for space in _SPACES if unicodedata.category(space) == "Zs"})
# Control, format (zero-width, bidirectional overrides), surrogate, line and paragraph separator.
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class NotAnIdentifier(ValueError):
    """The text contains a character that nobody can see."""


def normalised(text: str) -> str:
    """In Unicode NFC, with every kind of space as a plain one, and without spaces at either end."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", text).strip(_EDGES).translate(_PLAIN)


def identifier(text: str) -> str:
    """`text`, normalised. Raises `NotAnIdentifier`."""
    text = normalised(text)
    if text.isprintable():
        return text
    for place, character in enumerate(text, start=1):
        if unicodedata.category(character) in _FORBIDDEN:
            raise NotAnIdentifier(f"Character {place} is U+{ord(character):04X}, which is invisible. Remove it.")
    return text


def cleaned(text: str) -> str:
    """As `identifier`, for text that is recorded as it comes: an invisible character becomes a space."""
    if text.isprintable():
        return normalised(text)
    visible = (" " if unicodedata.category(character) in _FORBIDDEN else character for character in text)
    return normalised("".join(visible))
