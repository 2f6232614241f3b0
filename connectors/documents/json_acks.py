"""JSON acks: what decides is read strictly, every other field as far as it goes."""

import json
import re
from datetime import datetime
from typing import Any

import msgspec

from connectors.documents.json_ack_names import is_error
from connectors.documents.json_ack_text import QUOTED, read_object
from connectors.exceptions import RejectedError
from connectors.ports import Ack, AckOutcome
from connectors.text.sanitize import tame
from orderflow.fields.identifiers import cleaned, normalised

# What no database takes: NUL, and half of a surrogate pair.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# What the columns take that these go into; a message is cut where it is recorded.
ID_LENGTH = 120
MESSAGE_LENGTH = 4000


def parse_ack(name: str, raw: bytes) -> Ack:
    """Raises `RejectedError` saying what is wrong with the file."""
    value, notes = read_object(raw)
    outcome = _outcome(value)
    if is_error(name) is not (outcome is AckOutcome.FAILED):
        raise RejectedError(f"Its name and its status {outcome} contradict each other.")
    optional = _Optional(value, notes)
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
    outcome = _outcome_of(value["status"])
    if outcome is None:
        raise RejectedError(f"Its status is {_quoted(value['status'])}, neither ACKED nor FAILED.")
    # The same key in capitals is no status, unless it says the opposite.
    others = {_outcome_of(other) for key, other in value.items() if key.lower() == "status"}
    if others - {None, outcome}:
        raise RejectedError("It has two statuses that contradict each other.")
    return outcome


def _outcome_of(status: Any) -> AckOutcome | None:
    if not isinstance(status, str):
        return None
    return _OUTCOMES.get(status) or _OUTCOMES.get(normalised(status).upper())


class _Optional:
    """The fields that decide nothing: as texts, with a note on each that is not as it should be."""

    __slots__ = ("notes", "value")

    def __init__(self, value: dict[str, Any], notes: list[str]) -> None:
        self.value = value
        self.notes = notes

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
        return cleaned(self._storable(key, text[:ID_LENGTH]))

    def message(self) -> str | None:
        given = self.value.get("message")
        if given is None:
            return None
        if isinstance(given, str):
            return self._storable("message", given)
        self.notes.append(f"message is {_kind(given)}, kept as text.")
        is_lines = isinstance(given, list) and all(isinstance(line, str) for line in given)
        text = "; ".join(given) if is_lines else _as_text(given)
        return self._storable("message", text[:MESSAGE_LENGTH])

    def moment(self, key: str) -> datetime | None:
        given = self.value.get(key)
        if given is None:
            return None
        try:
            return msgspec.convert(given, datetime)
        # The second for half of a surrogate pair.
        except (msgspec.ValidationError, ValueError):
            self.notes.append(f"{key} is no date with a time: {_quoted(given)}.")
            return None

    def _storable(self, key: str, text: str) -> str:
        if not UNSTORABLE.search(text):
            return text
        self.notes.append(f"{key} holds characters that cannot be stored, and were replaced.")
        return UNSTORABLE.sub("\ufffd", text)


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
