"""JSON bodies, read strictly."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NoReturn

from rest_framework.parsers import JSONParser

from orderflow.api.errors.problems import FieldError, Problem, field_pointer, invalid

# PostgreSQL refuses NUL, and UTF-8 has no bytes for half a surrogate pair.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# An order has four levels; what is nested much deeper would only break what reads it.
DEEPEST = 32


class _Repeating(dict[str, Any]):
    """An object with a name that stands in it more than once: JSON leaves open which of the values counts."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(members)
        counted = Counter(name for name, _ in members)
        self.repeated = [name for name, times in counted.items() if times > 1]


class StrictJSONParser(JSONParser):
    """Numbers keep every digit; nothing comes through that the database or an answer could not carry."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - the framework's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        try:
            data = json.loads(
                _text(stream.read()),
                object_pairs_hook=_object,
                parse_float=_number,
                parse_int=_integer,
                parse_constant=_refuse_constant,
            )
            errors = list(_faults(data))
        except (ValueError, RecursionError) as error:
            raise Problem("malformed_json", f"The body is not JSON in UTF-8: {_reason(error)}.") from error
        if errors:
            raise invalid(errors)
        return data


def _text(body: bytes) -> str:
    """Without a byte order mark."""
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        raise ValueError(f"it is encoded in {encoding[:6].upper()}. Send it in UTF-8")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} (0x{error.object[error.start]:02x}) is not UTF-8") from error
    if text.startswith("\ufeff"):
        raise ValueError("it begins with more than one byte order mark")
    return text


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"a number has {len(text)} digits") from error


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text[:40]} is beyond all measure") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    taken = dict(members)
    return taken if len(taken) == len(members) else _Repeating(members)


def _faults(value: Any, pointer: str = "", depth: int = 0) -> Iterator[FieldError]:
    """Raises `RecursionError`."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            yield FieldError(pointer=pointer, message="The text holds a NUL or half a surrogate pair. Remove it.")
    elif isinstance(value, dict):
        yield from _repetitions(value, pointer)
        for name, inner in value.items():
            bad_name = list(_faults(name, pointer))
            yield from bad_name or _faults(inner, field_pointer(pointer, name), depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _faults(inner, f"{pointer}/{index}", depth + 1)


def _repetitions(value: dict[str, Any], pointer: str) -> Iterator[FieldError]:
    for name in value.repeated if isinstance(value, _Repeating) else ():
        if not UNSTORABLE.search(name):
            text = f"The name {name!r} stands here more than once. Send it once."
            yield FieldError(pointer=field_pointer(pointer, name), message=text)
