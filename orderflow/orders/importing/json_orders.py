"""Reads a JSON file of orders: an array of objects in the shape that the API takes."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from orderflow.fields.number_parsing import NotANumber, read_strict
from orderflow.orders.importing.values import BadRow, ParsedOrder, UnusableSource, validation_text

BOM = b"\xef\xbb\xbf"


class _Repetition(Exception):
    """An object has a name more than once."""


class _WrittenLine(Struct):
    """A line's numbers as they are written: an exact decimal would not tell a string from a number."""

    qty: str | int | float | None = None
    unit_price: str | int | float | None = None


class _WrittenOrder(Struct):
    lines: list[_WrittenLine] = []


def read_json_orders(path: Path) -> Iterator[ParsedOrder | BadRow]:
    """An order that is not complete, or not certain, is left out whole. Raises `UnusableSource`."""
    content = path.read_bytes().removeprefix(BOM)
    read = [(line, _order(element, path.name, line)) for line, element in _elements(content, path.name)]
    first: dict[tuple[str, str], tuple[int, ParsedOrder]] = {}
    for line, order in read:
        if isinstance(order, ParsedOrder):
            first.setdefault(order.identity, (line, order))
    contradicted = {
        order.identity for _, order in read if isinstance(order, ParsedOrder) and order != first[order.identity][1]
    }
    for line, order in read:
        if isinstance(order, BadRow):
            yield order
        elif order is not first[order.identity][1]:
            yield _repeated(order, path.name, line, *first[order.identity])
        elif order.identity not in contradicted:
            yield order


def _order(element: bytes, file: str, line: int) -> ParsedOrder | BadRow:
    try:
        _require_strict_numbers(element)
        # Numbers of any length stay texts here.
        json.loads(element, object_pairs_hook=_once, parse_int=str, parse_float=str)
        order = msgspec.json.decode(element, type=ParsedOrder)
    except msgspec.ValidationError as error:
        return BadRow(file=file, line=line, reason=validation_text(error))
    except UnicodeDecodeError:
        return BadRow(file=file, line=line, reason="the order is not UTF-8. Save the file as UTF-8.")
    except RecursionError:
        return BadRow(file=file, line=line, reason="the order is nested too deeply.")
    except (NotANumber, _Repetition) as error:
        return BadRow(file=file, line=line, reason=str(error))
    if not order.lines:
        return BadRow(file=file, line=line, reason="the order has no lines. It was left out.")
    return order


def _once(members: list[tuple[str, Any]]) -> None:
    """JSON leaves open which of several values of one name counts."""
    for name, times in Counter(name for name, _ in members).items():
        if times > 1:
            raise _Repetition(f"{name!r} occurs more than once in one object. Keep one of them.")


def _require_strict_numbers(element: bytes) -> None:
    """As the API reads them. Raises `NotANumber`."""
    try:
        written = msgspec.json.decode(element, type=_WrittenOrder)
    except msgspec.ValidationError:
        # Reading the order says why.
        return
    for place, line in enumerate(written.lines):
        for name in ("qty", "unit_price"):
            value = getattr(line, name)
            try:
                if isinstance(value, str):
                    read_strict(value)
            except NotANumber as error:
                raise NotANumber(f"lines[{place}].{name}: {error}") from error


def _elements(content: bytes, file: str) -> Iterator[tuple[int, bytes]]:
    """Each element of the array, still encoded, with the line that it starts in."""
    try:
        elements = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnusableSource(f"{file} is not a JSON array of orders: {error}. Mend the file.") from error
    line, start, end = 1, 0, 0
    for element in map(bytes, elements):
        previous, start = start, content.index(element, end)
        end = start + len(element)
        line += content.count(b"\n", previous, start)
        yield line, element


def _repeated(order: ParsedOrder, file: str, line: int, first_line: int, first: ParsedOrder) -> BadRow:
    customer, number = order.identity
    relation = "is a duplicate of" if order == first else "differs from"
    outcome = "" if order == first else " Neither was imported."
    reason = f"order {number!r} of customer {customer!r} {relation} line {first_line}.{outcome}"
    return BadRow(file=file, line=line, reason=reason)
