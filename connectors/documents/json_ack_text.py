"""The object in the bytes of a JSON ack, also where they are no valid JSON and there is one way to read them."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

from connectors.exceptions import RejectedError
from connectors.ports import AckOutcome
from connectors.text.sanitize import tame
from orderflow.fields.identifiers import normalised

BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# Of a value that is quoted in a note.
QUOTED = 60
# A longer number is no number to Python's int, which rejects one of 4,300 digits.
INT_DIGITS = 20
# What some programs append to a file: padding, and the end of file of DOS.
PADDING = "\0\x1a \t\r\n"
STATUSES = frozenset(outcome.value for outcome in AckOutcome)

# What can make JSON invalid and leaves its structure as it is: a text, a comma before a closing bracket, a bare word.
# Each alternative takes all that it can and gives nothing back, so that a megabyte takes linear time.
_PART = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*+(?:"|\Z))|(?P<comma>,(?=\s*+[}\]]))|(?P<word>[^\s",:\[\]{}]++)', re.DOTALL
)
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
_VALID_WORD = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_COLON = re.compile(r"\s*+:")


def read_object(raw: bytes) -> tuple[dict[str, Any], list[str]]:
    """The object, and a note on each fault of the file that leaves no doubt about its structure: bytes that are not
    UTF-8, control characters in a text, an unknown escape, NaN, a number such as 007, a comma too many, a key other
    than the status that stands twice.

    Raises `RejectedError` for any other fault: a file that is cut off or nested too deeply, one with two statuses, or
    one whose quotes and brackets do not match.
    """
    text, notes = _text(raw)
    try:
        value = _strictly(text)
    except RecursionError as error:
        raise RejectedError("It is nested too deeply.") from error
    except ValueError as error:
        notes.append(f"It is not valid JSON: {error}.")
        value = _leniently(text, notes)
    if not isinstance(value, dict):
        raise RejectedError("It is not a JSON object.")
    return value, notes


def _text(raw: bytes) -> tuple[str, list[str]]:
    if raw.startswith(UTF_16):
        raise RejectedError("It is UTF-16, not UTF-8.")
    try:
        return raw.removeprefix(BOM).decode("utf-8"), []
    except UnicodeDecodeError:
        return raw.removeprefix(BOM).decode("cp1252", "replace"), ["It is not UTF-8, and was read as Windows-1252."]


def _leniently(text: str, faults: Sequence[str]) -> Any:
    """Raises `RejectedError` with `faults`, which are those that a strict reading found."""
    objects = _Objects()
    decoder = json.JSONDecoder(
        strict=False, object_pairs_hook=objects, parse_float=_float_or_text, parse_int=_integer_or_text
    )
    try:
        value = decoder.decode(_PART.sub(_valid, text.rstrip(PADDING)))
    except RecursionError as error:
        raise RejectedError("It is nested too deeply.") from error
    except ValueError as error:
        raise RejectedError(" ".join(faults)) from error
    # In any case: one of the two may say the opposite of the status, and the object has only the last.
    if any(key.lower() == "status" for key in objects.doubled):
        raise RejectedError("Its status stands twice.")
    return value


def _valid(part: re.Match[str]) -> str:
    """`part` of a file as JSON has it. A word that is a key, or a status, is left as it is: what decides is read
    strictly."""
    found = part[0]
    if part["comma"]:
        return ""
    if part["text"]:
        return _ESCAPE.sub(_escape, found)
    is_key = _COLON.match(part.string, part.end()) is not None
    if is_key or _VALID_WORD.fullmatch(found) or normalised(found).upper() in STATUSES:
        return found
    return json.dumps(found)


def _escape(found: re.Match[str]) -> str:
    """A backslash that escapes nothing is one, such as that of a path."""
    return found[0] if found[1] else r"\\"


class _Objects:
    """Makes objects of pairs. `doubled` are the keys that stand twice in the last one, which is the outermost."""

    def __init__(self) -> None:
        self.doubled: frozenset[str] = frozenset()

    def __call__(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self.doubled = frozenset(_doubled(pairs) if len(value) != len(pairs) else ())
        return value


def _doubled(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    return [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError(f"the key {tame(_doubled(pairs)[0], QUOTED)!r} stands twice in one object")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = _float_or_text(text)
    if isinstance(value, str):
        raise ValueError(f"{tame(text, QUOTED)} is out of range")  # noqa: TRY004 - as json says of a text
    return value


def _float_or_text(text: str) -> float | str:
    value = float(text)
    return text if value in (float("inf"), float("-inf")) else value


def _integer_or_text(text: str) -> int | str:
    return int(text) if len(text) <= INT_DIGITS else text


_strictly = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite, parse_int=_integer_or_text
).decode
