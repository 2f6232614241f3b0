"""Orders of a file that are stored already, compared with what is stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orderflow.fields.number_parsing import as_written
from orderflow.orders.models import DraftOrder, DraftOrderLine

HEADER = ("order_date", "currency", "requested_delivery_date", "notes")
SOURCE = ("source_document_id", "source_file_name", "source_sha256")
LINE = ("internal_sku", "qty", "uom", "unit_price", "currency", "customer_sku_raw", "description")
ABSENT = "no such line"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """`field` is a path into the order such as `notes` or `lines/2/qty`, with the line's number."""

    field: str
    stored: str
    in_file: str

    def __str__(self) -> str:
        return f"{self.field} is stored as {self.stored}, the file has {self.in_file}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DifferingOrder:
    """`kept_because` says why the stored order stays as it is; empty where it was updated."""

    number: str
    customer: str
    differences: tuple[Difference, ...]
    kept_because: str

    def __str__(self) -> str:
        told = "; ".join(map(str, self.differences))
        return f"Order {self.number!r} of customer {self.customer!r} differs: {told}. {self.kept_because}".rstrip()


def differences(
    stored: DraftOrder, order: DraftOrder, lines: Sequence[DraftOrderLine], *, with_source: bool
) -> tuple[Difference, ...]:
    """`order` and its `lines` are as the file has them, and not saved."""
    names = (*HEADER, *SOURCE) if with_source else HEADER
    return (*_changed(stored, order, names), *_changed_lines(stored.lines.all(), lines))


def _changed(stored: Any, given: Any, names: Iterable[str], path: str = "") -> Iterator[Difference]:
    for name in names:
        old, new = getattr(stored, name), getattr(given, name)
        if old != new:
            yield Difference(field=f"{path}{name}", stored=_shown(old), in_file=_shown(new))


def _changed_lines(stored: Iterable[DraftOrderLine], given: Iterable[DraftOrderLine]) -> Iterator[Difference]:
    old, new = ({line.line_no: line for line in lines} for lines in (stored, given))
    for number in sorted({*old, *new}):
        path = f"lines/{number}"
        if number not in new:
            yield Difference(field=path, stored=_line_shown(old[number]), in_file=ABSENT)
        elif number not in old:
            yield Difference(field=path, stored=ABSENT, in_file=_line_shown(new[number]))
        else:
            yield from _changed(old[number], new[number], LINE, f"{path}/")


def _line_shown(line: DraftOrderLine) -> str:
    return f"{as_written(line.qty)} {line.uom} of {line.internal_sku!r}"


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return as_written(value)
    if value in (None, ""):
        return "empty"
    return repr(value) if isinstance(value, str) else str(value)
