"""Answers as JSON: `ack_<export file>` and `error_<export file>`, read strictly."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta, Struct

from connectors.exceptions import RejectedError
from connectors.ports import Ack, AckOutcome
from orderflow.tenancy.identifiers import cleaned

# Some ERPs append a second .json to the name of the export.
NAME = re.compile(r"(?P<kind>ack|error)_(?P<export>[A-Za-z0-9._-]{1,120}?\.json)(?:\.json)?", re.ASCII)
# An escaped NUL, as json writes it: PostgreSQL would refuse it.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
BOM = b"\xef\xbb\xbf"

Short = Annotated[str, Meta(max_length=120)]
# JSON knows no end of a number; the columns that it goes into do.
Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Body(Struct, frozen=True, kw_only=True):
    """Keys that are not ours are an ERP's own business."""

    status: Literal["ACKED", "FAILED"]
    erp_order_id: Short | Number | None = None
    error_code: Short | Number | None = None
    message: str | None = None
    processed_at: datetime | None = None


def export_filename(name: str) -> str | None:
    """The export that a file of this name would answer; None when it is no answer by its name."""
    match = NAME.fullmatch(name)
    return match["export"] if match else None


def parse_ack(name: str, raw: bytes) -> Ack:
    """Raises `RejectedError` saying what is wrong with the file."""
    body = _body(_json(raw))
    outcome = AckOutcome(body.status)
    if name.startswith("error_") is not (outcome is AckOutcome.FAILED):
        raise RejectedError(f"Its name and its status {body.status} contradict each other.")
    return Ack(
        outcome=outcome,
        erp_order_id=_text(body.erp_order_id),
        error_code=_text(body.error_code),
        message=body.message,
        processed_at=body.processed_at,
    )


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


def _body(value: Any) -> _Body:
    if not isinstance(value, dict):
        raise RejectedError("It is not a JSON object.")
    try:
        return msgspec.convert(value, _Body)
    except msgspec.ValidationError as error:
        raise RejectedError(f"{error}.") from error


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


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite).decode


def _text(value: str | int | None) -> str | None:
    """What the ERP calls the order, or the error: recorded as every identifier is."""
    return None if value is None else cleaned(str(value))
