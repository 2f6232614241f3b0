"""CSV files with a header row, read row by row."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from orderflow.orders.importing.values import BadRow, UnusableSource

# Short enough for the product of two to be exact in the 28 digits of Python's decimals.
NUMBER = re.compile(r"-?[0-9]{1,11}(\.[0-9]{1,8})?")


class BadValue(Exception):
    """A row that cannot be used; the text names the column and the value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row and the line that it starts in. `fault` says why its cells cannot be trusted."""

    file: str
    line: int
    cells: dict[str, str]
    fault: str | None = None

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def as_number(self, column: str) -> Decimal:
        if not NUMBER.fullmatch(self[column]):
            raise BadValue(f"{column} {self[column]!r} is not a number such as 12.5.")
        return Decimal(self[column])

    def as_date(self, column: str) -> date | None:
        """None for an empty cell."""
        try:
            return datetime.strptime(self[column], "%Y-%m-%d").date() if self[column] else None  # noqa: DTZ007 - a date
        except ValueError as error:
            raise BadValue(f"{column} {self[column]!r} is not a date such as 1996-07-04.") from error

    def bad(self, reason: str) -> BadRow:
        return BadRow(file=self.file, line=self.line, reason=reason)


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Raises `UnusableSource` where rows cannot be told apart, or one of `columns` is missing."""
    # What is not UTF-8 comes through as lone surrogates, so that it spoils its own row only.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        numbered = _numbered(file, path.name)
        _, header = next(numbered, (1, []))
        _require_columns(header, columns, path.name)
        return [_row(path.name, line, header, cells) for line, cells in numbered]


def _numbered(lines: Iterable[str], file: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        # A quote that is never closed swallows rows of other orders: none of them can be trusted to be whole.
        raise UnusableSource(f"{file}, line {start}: the quotes do not match ({error}). Mend the row.") from error


def _require_columns(header: list[str], columns: Sequence[str], file: str) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise UnusableSource(f"{file}, line 1: no column {', '.join(missing)}. The first row must name the columns.")


def _row(file: str, line: int, header: list[str], cells: list[str]) -> Row:
    named = dict(zip(header, cells, strict=False))
    return Row(file=file, line=line, cells=named, fault=_fault(cells, expected=len(header)))


def _fault(cells: list[str], *, expected: int) -> str | None:
    if len(cells) != expected:
        return f"the row has {len(cells)} cells; the header names {expected}."
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return "the row is not UTF-8. Save the file as UTF-8."
    return None
