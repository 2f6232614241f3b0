import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.fields.identifiers import NotAnIdentifier, cleaned, identifier, normalised

EDGES = [
    " ",
    "\t",
    "\n",
    "\r\n",
    "\u00a0",
    "\u202f",
    "\u2007",
    "\u3000",
    "\ufeff",
    "\u200b",
    "\u2060",
    " \u00a0\ufeff ",
]


@pytest.mark.parametrize("edge", EDGES)
def test_nothing_invisible_stays_at_either_end(edge: str) -> None:
    assert normalised(f"{edge}PO 1{edge}") == "PO 1"
    assert normalised(edge) == ""


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u2007", "\u2009", "\u3000"])
def test_every_space_within_is_a_plain_one(space: str) -> None:
    assert identifier(f"PO{space}1") == "PO 1"


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert identifier("Mu\u0308ller") == identifier("M\u00fcller") == "M\u00fcller"


def test_case_and_leading_zeros_make_a_difference() -> None:
    assert len({identifier(text) for text in ("po-1", "PO-1", "PO-01", "PO 1")}) == 4


@pytest.mark.parametrize(
    "character", ["\0", "\t", "\n", "\x1b", "\x7f", "\u200b", "\u202e", "\u2028", "\ufeff", "\u00ad"]
)
def test_an_invisible_character_within_is_rejected_by_its_code(character: str) -> None:
    code = f"{ord(character):04X}"
    with pytest.raises(NotAnIdentifier, match=rf"^Character 3 is U\+{code}, which is invisible\. Remove it\.$"):
        identifier(f"PO{character}1")
    assert cleaned(f" PO{character}1") == "PO 1"


@given(st.text())
def test_the_rule_applied_twice_is_the_rule(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert identifier(cleaned(text)) == cleaned(text)
