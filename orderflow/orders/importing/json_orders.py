"""Reads a JSON file of orders: an array of objects in the shape that the API takes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from orderflow.orders.importing.values import BadRow, ParsedOrder, UnusableSource, in_words

BOM = b"\xef\xbb\xbf"


def read_json_orders(path: Path) -> Iterator[ParsedOrder | BadRow]:
    """Raises `UnusableSource`."""
    content = path.read_bytes().removeprefix(BOM)
    first: dict[tuple[str, str], int] = {}
    for line, element in _elements(content, path.name):
        try:
            order = msgspec.json.decode(element, type=ParsedOrder)
        except msgspec.ValidationError as error:
            yield BadRow(file=path.name, line=line, reason=in_words(error))
        except UnicodeDecodeError:
            yield BadRow(file=path.name, line=line, reason="the order is not UTF-8. Save the file as UTF-8.")
        else:
            yield _duplicate(order, path.name, line, first) if order.identity in first else order
            first.setdefault(order.identity, line)


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


def _duplicate(order: ParsedOrder, file: str, line: int, first: Mapping[tuple[str, str], int]) -> BadRow:
    customer, number = order.identity
    reason = f"order {number!r} of customer {customer!r} is a duplicate of line {first[order.identity]}."
    return BadRow(file=file, line=line, reason=reason)
