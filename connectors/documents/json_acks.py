"""JSON acks: what decides is read strictly, every other field as far as it goes."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

import msgspec

from connectors.documents.json_ack_names import is_error
from connectors.exceptions import RejectedError
from connectors.hostile_text import tame
from connectors.ports import Ack, AckOutcome
from orderflow.tenancy.identifiers import cleaned, normalised

# An escaped NUL, as json writes it: PostgreSQL would refuse it.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
BOM = b"\xef\xbb\xbf"
# What the columns take that these go into; a message is cut where it is recorded.
ID_LENGTH = 120
MESSAGE_LENGTH = 4000
# Of a value that is quoted in a note.
QUOTED = 60
# A longer number is no number to Python's int, which rejects one of 4,300 digits.
INT_DIGITS = 20


def parse_ack(name: str, raw: bytes) -> Ack:
    """Raises `RejectedError` saying what is wrong with the file."""
    value = _json(raw)
    if not isinstance(value, dict):
        raise RejectedError("It is not a JSON object.")
    outcome = _outcome(value)
    if is_error(name) is not (outcome is AckOutcome.FAILED):
        raise RejectedError(f"Its name and its status {outcome} contradict each other.")
    optional = _Optional(value)
    return Ack(
        outcome=outcome,
        erp_order_id=optional.identifier("erp_order_id"),
        error_code=optional.identifier("error_code"),
        message=optional.message(),
        processed_at=optional.moment("processed_at"),
        notes=" ".join(optional.notes),
    )


_OUTCOMES = {outcome.value: outcome for outcome in AckOutcome}


def _outcome(value: dict[str, Any]) -> AckOutcome:
    if "status" not in value:
        raise RejectedError("It has no status.")
    status = value["status"]
    if isinstance(status, str) and status in _OUTCOMES:
        return _OUTCOMES[status]
    try:
        return AckOutcome(normalised(status).upper())
    except (AttributeError, TypeError, ValueError):
        raise RejectedError(f"Its status is {_quoted(status)}, neither ACKED nor FAILED.") from None


class _Optional:
    """The fields that decide nothing: as texts, with a note on each that is not as it should be."""

    __slots__ = ("notes", "value")

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.notes: list[str] = []

    def identifier(self, key: str) -> str | None:
        given = self.value.get(key)
        if given is None:
            return None
        if not isinstance(given, str) and (not isinstance(given, int) or isinstance(given, bool)):
            self.notes.append(f"{key} is {_kind(given)}, kept as text.")
        text = _as_text(given)
        if len(text) > ID_LENGTH:
            self.notes.append(f"{key} has {len(text):,} characters, cut to {ID_LENGTH}.")
        # What the ERP calls the order, or the error: recorded as every identifier is.
        return cleaned(text[:ID_LENGTH])

    def message(self) -> str | None:
        given = self.value.get("message")
        if given is None or isinstance(given, str):
            return given
        self.notes.append(f"message is {_kind(given)}, kept as text.")
        if isinstance(given, list) and all(isinstance(line, str) for line in given):
            return "; ".join(given)[:MESSAGE_LENGTH]
        return _as_text(given)[:MESSAGE_LENGTH]

    def moment(self, key: str) -> datetime | None:
        given = self.value.get(key)
        if given is None:
            return None
        try:
            return msgspec.convert(given, datetime)
        except msgspec.ValidationError:
            self.notes.append(f"{key} is no date with a time: {_quoted(given)}.")
            return None


def _as_text(given: Any) -> str:
    try:
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply)"


def _kind(given: Any) -> str:
    kinds = ((bool, "a boolean"), (dict, "an object"), (list, "a list"))
    return next((word for kind, word in kinds if isinstance(given, kind)), "a number")


def _quoted(given: Any) -> str:
    return repr(tame(_as_text(given), QUOTED))


def _json(raw: bytes) -> Any:
    try:
        text = raw.removeprefix(BOM).decode("utf-8")
        value = _decode(text)
        # Only an escape can bring in what UTF-8 has not: half a surrogate pair, or NUL.
        plain = json.dumps(value, ensure_ascii=False) if "\\u" in text else ""
        plain.encode("utf-8")
    except UnicodeDecodeError as error:
        raise RejectedError("It is not UTF-8.") from error
    except UnicodeEncodeError as error:
        raise RejectedError("It holds half a surrogate pair.") from error
    except RecursionError as error:
        raise RejectedError("It is nested too deeply.") from error
    except ValueError as error:
        raise RejectedError(f"It is not valid JSON: {error}") from error
    if NUL.search(plain):
        raise RejectedError("It holds a NUL character.")
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is out of range")
    return value


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= INT_DIGITS else text


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite, parse_int=_integer
).decode
