"""Numbers as people and spreadsheets write them, read without guessing.

`18,90`, `18.90`, `1.234,50`, `1,234.50`, `1 234,50` and `1'234.50` have one reading. `1.234` has two, and is rejected.
"""

import re
import unicodedata
from decimal import Decimal

from orderflow.fields.identifiers import normalised

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})
_SIGN = "(?P<sign>[-+]?)"
_PLAIN = re.compile(_SIGN + r"(?P<whole>[0-9]*)(?:(?P<separator>[.,])(?P<decimals>[0-9]+))?")
_GROUPED = re.compile(
    _SIGN + r"(?P<whole>[1-9][0-9]{0,2}(?P<group>[ '.,])[0-9]{3}(?:(?P=group)[0-9]{3})*)"
    r"(?:(?!(?P=group))(?P<separator>[.,])(?P<decimals>[0-9]+))?"
)
# One group of three digits: thousands to some, decimals to others.
_AMBIGUOUS = re.compile(_SIGN + r"(?P<whole>[1-9][0-9]{0,2})(?P<separator>[.,])(?P<decimals>[0-9]{3})")
_STRICT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_SHOWN = 40


class NotANumber(ValueError):
    """The message quotes the text and says how to write it."""


class TooManyDecimals(NotANumber):
    """A number that would have to be rounded, which is left to its sender."""


def read_decimal(text: str, *, places: int, digits: int = 15) -> Decimal:
    """Raises `NotANumber`, also for more decimals than `places` and for more than `digits` in all."""
    written = _compact(text)
    ambiguous = _AMBIGUOUS.fullmatch(written)
    if ambiguous:
        whole = "{sign}{whole}{decimals}".format(**ambiguous.groupdict())
        raise NotANumber(f"{_quoted(text)} is ambiguous. Write {whole} or {written}0.")
    return fitted(_value(written, text), places=places, digits=digits)


def read_whole(text: str) -> int:
    """Raises `NotANumber`."""
    written = _compact(text)
    ambiguous = _AMBIGUOUS.fullmatch(written)
    if ambiguous:
        whole = "{sign}{whole}{decimals}".format(**ambiguous.groupdict())
        raise NotANumber(f"{_quoted(text)} is not clearly a whole number. Write {whole} without a separator.")
    value = _value(written, text)
    if value != value.to_integral_value():
        raise NotANumber(f"{_quoted(text)} is not a whole number.")
    return int(value)


def read_strict(text: str) -> Decimal:
    """A number as JSON has it, in a string. Raises `NotANumber`."""
    if not _STRICT.fullmatch(text):
        raise NotANumber(f"{_quoted(text)} is not a number. Write it with digits and a decimal point, such as 18.90.")
    return Decimal(text)


def fitted(value: Decimal, *, places: int, digits: int = 15) -> Decimal:
    """`value` without zeros beyond `places`. Raises `NotANumber` where it does not fit its column."""
    shown = f"{value}"[:_SHOWN]
    if not value.is_finite():
        raise NotANumber(f"{shown} is not a number.")
    # Before anything is computed: an exponent may be huge.
    if value and value.adjusted() >= digits - places:
        raise NotANumber(f"{shown} is too large: at most {digits - places} digits before the decimal point.")
    if value and value.adjusted() < -places:
        raise TooManyDecimals(_too_fine(shown, places))
    rounded = round(value, places)
    if rounded != value:
        raise TooManyDecimals(_too_fine(shown, places))
    return rounded if int(value.as_tuple().exponent) < -places else value


def as_written(value: Decimal) -> str:
    """A text that `read_decimal` reads as `value`: 40 for 40.000, but 1.1250 for 1.125."""
    text = f"{value.normalize():f}" if value else "0"
    return f"{text}0" if _AMBIGUOUS.fullmatch(text) else text


def _compact(text: str) -> str:
    return normalised(text).translate(_APOSTROPHES)


def _value(written: str, text: str) -> Decimal:
    match = _PLAIN.fullmatch(written) or _GROUPED.fullmatch(written)
    if not match or not (match["whole"] or match["decimals"]):
        raise NotANumber(f"{_quoted(text)} {_fault(written)}")
    whole = re.sub("[ '.,]", "", match["whole"])
    decimals = f".{match['decimals']}" if match["decimals"] else ""
    return Decimal(f"{match['sign']}{whole or 0}{decimals}")


def _fault(written: str) -> str:
    if re.fullmatch(r"[0-9., ']+[-\u2212]", written):
        return f"has its minus sign at the end. Write -{written[:-1]}."
    if re.fullmatch(r"[-+]?[0-9.,]+[eE][-+]?[0-9]+", written):
        return "has an exponent. Write all its digits."
    if any(character.isdigit() and not character.isascii() for character in written):
        return "has digits other than 0 to 9."
    if any(unicodedata.category(character) == "Sc" for character in written) or re.search(r"\bEUR\b", written):
        return "has a currency sign. Write the number alone, such as 18.90."
    return "is not a number. Write it as 1234.50 or 1234,50." if written else "is no number: it is empty."


def _too_fine(shown: str, places: int) -> str:
    return f"{shown} has too many decimals: at most {places}. Round it."


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
