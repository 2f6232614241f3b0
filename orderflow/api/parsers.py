"""JSON bodies, read strictly."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import IO, Any, NoReturn

from rest_framework.parsers import JSONParser

from orderflow.api.problems import FieldError, Problem, field_pointer, invalid

# PostgreSQL refuses NUL, and UTF-8 has no bytes for half a surrogate pair.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class StrictJSONParser(JSONParser):
    """Numbers keep every digit; nothing comes through that the database or an answer could not carry."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - the framework's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        try:
            data = json.loads(stream.read().decode(), parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise Problem(
                HTTPStatus.BAD_REQUEST, "malformed_json", f"The body is not JSON in UTF-8: {_reason(error)}."
            ) from error
        if errors := list(_unstorable(data)):
            raise invalid(errors)
        return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _unstorable(value: Any, pointer: str = "") -> Iterator[FieldError]:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            yield FieldError(pointer=pointer, message="The text holds a NUL or half a surrogate pair. Remove it.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            bad_name = list(_unstorable(name, pointer))
            yield from bad_name or _unstorable(inner, field_pointer(pointer, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, f"{pointer}/{index}")
