import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.text.sanitize import MAX_LENGTH, tame


@given(st.text(max_size=1500) | st.binary(max_size=1500))
def test_nothing_that_a_server_says_moves_a_cursor_or_a_line(text: str | bytes) -> None:
    """S16."""
    tamed = tame(text)
    assert len(tamed) <= MAX_LENGTH
    assert all(unicodedata.category(c)[0] != "C" for c in tamed)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"No such file", "No such file"),
        ("Zugriff verweigert: Ärger", "Zugriff verweigert: Ärger"),
        (b"first\r\nsecond\x00third", "first second third"),
        (b"\x1b[2J\x1b[31mgone", "[2J [31mgone"),
        ("invoice\u202egpj.exe", "invoice gpj.exe"),
        (b"caf\xe9", "caf\ufffd"),
        ("", ""),
    ],
)
def test_what_remains_can_be_read(said: str | bytes, shown: str) -> None:
    """S16."""
    assert tame(said) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert tame("x" * 501) == "x" * 499 + "…"
