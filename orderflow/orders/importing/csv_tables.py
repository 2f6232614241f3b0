"""CSV files with a header row, read row by row."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from orderflow.fields.identifiers import normalised
from orderflow.fields.number_parsing import NotANumber, read_decimal
from orderflow.orders.importing.values import BadRow, UnusableSource

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


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

    def as_number(self, column: str, *, places: int) -> Decimal:
        try:
            return read_decimal(self[column], places=places)
        except NotANumber as error:
            raise BadValue(f"{column} {error}") from error

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
    content = path.read_bytes()
    if content.startswith(UTF_16):
        raise UnusableSource(f"{path.name} is UTF-16. Save it as CSV in UTF-8.")
    # What is not UTF-8 comes through as lone surrogates, so that it spoils its own row only.
    text = content.decode("utf-8-sig", "surrogateescape")
    numbered = _numbered(io.StringIO(text, newline=""), path.name)
    _, header = next(numbered, (1, []))
    header = [normalised(name) for name in header]
    _require_columns(header, columns, path.name)
    rows = [_row(path.name, line, header, cells) for line, cells in numbered]
    return rows if text.endswith(("\n", "\r")) else _cut_off(rows)


def _cut_off(rows: list[Row]) -> list[Row]:
    """A file that was cut off in a row may have lost digits of its last number."""
    fault = "the file ends within this row. If the row is complete, add a line break behind it."
    return [*rows[:-1], *(replace(row, fault=row.fault or fault) for row in rows[-1:])]


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
        raise UnusableSource(f"{file}, line 1: no column {', '.join(missing)}. {_found(header)}")
    repeated = [name for name, times in Counter(header).items() if times > 1 and name in columns]
    if repeated:
        raise UnusableSource(f"{file}, line 1: column {repeated[0]} occurs more than once. Remove one of them.")


def _found(header: list[str]) -> str:
    if len(header) == 1:
        for separator, name in SEPARATORS.items():
            if separator in header[0]:
                return f"The columns are separated by {name}. Separate them by commas."
    shown = ", ".join(header[:20]).encode("utf-8", "replace").decode()[:500]
    return f"Columns found: {shown or 'none'}. The first row must name the columns."


def _row(file: str, line: int, header: list[str], cells: list[str]) -> Row:
    named = dict(zip(header, map(normalised, cells), strict=False))
    return Row(file=file, line=line, cells=named, fault=_fault(cells, expected=len(header)))


def _fault(cells: list[str], *, expected: int) -> str | None:
    if len(cells) != expected:
        return f"the row has {len(cells)} cells; the header names {expected}."
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return "the row is not UTF-8. Save the file as UTF-8."
    return None
