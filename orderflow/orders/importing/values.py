"""What the readers give to the writer. The types are the schema: JSON orders are decoded straight into them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, ValidationError
from msgspec.structs import force_setattr

from orderflow.fields.identifiers import NotAnIdentifier, identifier
from orderflow.fields.number_parsing import NotANumber, fitted

MAX_DIGITS = 15
QTY_PLACES = 3
PRICE_PLACES = 4

# PostgreSQL stores no NUL.
WITHOUT_NUL = r"\A[^\x00]*\Z"
CURRENCY = re.compile(r"[A-Z]{3}")


def text(max_length: int, *, min_length: int = 0) -> Meta:
    return Meta(min_length=min_length, max_length=max_length, pattern=WITHOUT_NUL)


class ParsedCustomer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    erp_customer_number: Annotated[str, text(60, min_length=1)]
    name: Annotated[str, text(200, min_length=1)]

    def __post_init__(self) -> None:
        _normalise(self, "erp_customer_number")
        _trim(self, "name")
        _require(self, "erp_customer_number", "name")


class ParsedSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    document_id: Annotated[str, text(120)] = ""
    file_name: Annotated[str, text(255)] = ""
    sha256: Annotated[str, text(64)] = ""

    def __post_init__(self) -> None:
        _normalise(self, "document_id")
        _trim(self, "file_name", "sha256")


class ParsedLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`line_no` None: the line's place in the order. `currency` empty: the order's own."""

    line_no: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    internal_sku: Annotated[str, text(80)] = ""
    qty: Decimal
    uom: Annotated[str, text(10)] = ""
    unit_price: Decimal = Decimal(0)
    currency: str = ""
    customer_sku_raw: Annotated[str, text(120)] | None = None
    description: Annotated[str, text(500)] | None = None

    def __post_init__(self) -> None:
        _normalise(self, "internal_sku", "uom", "currency", "customer_sku_raw")
        _trim(self, "description")
        _require_currency(self.currency)
        _fit(self, "qty", QTY_PLACES)
        _fit(self, "unit_price", PRICE_PLACES)


class ParsedOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Customer and number are the order's identity: by them a second run knows what is there already."""

    external_order_number: Annotated[str, text(80, min_length=1)]
    customer: ParsedCustomer
    order_date: date | None = None
    currency: str = ""
    requested_delivery_date: date | None = None
    notes: Annotated[str, text(4000)] | None = None
    lines: tuple[ParsedLine, ...] = ()
    source_document: ParsedSource | None = None

    def __post_init__(self) -> None:
        _normalise(self, "external_order_number", "currency")
        _trim(self, "notes")
        _require(self, "external_order_number")
        _require_currency(self.currency)
        if len({number for number, _ in self.numbered_lines}) < len(self.lines):
            raise ValueError("two lines have the same line_no")

    @property
    def identity(self) -> tuple[str, str]:
        return self.customer.erp_customer_number, self.external_order_number

    @property
    def numbered_lines(self) -> list[tuple[int, ParsedLine]]:
        return [(line.line_no or place, line) for place, line in enumerate(self.lines, start=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """`line` counts from 1, the header row included."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


class UnusableSource(Exception):
    """The file or folder as a whole cannot be imported; nothing was."""


def validation_text(error: ValidationError) -> str:
    """The reason without the decoder's notation."""
    message, _, place = str(error).partition(" - at `$")
    place = place.strip(".`")
    return f"{place}: {message}." if place else f"{message}."


def _normalise(value: Struct, *names: str) -> None:
    """Identifiers as API and admin take them. Raises `ValueError`."""
    for name in names:
        try:
            _set(value, name, identifier)
        except NotAnIdentifier as error:
            raise ValueError(f"{name}: {str(error).rstrip('.')}") from error


def _trim(value: Struct, *names: str) -> None:
    for name in names:
        _set(value, name, str.strip)


def _set(value: Struct, name: str, rule: Callable[[str], str]) -> None:
    text = getattr(value, name)
    if text:
        force_setattr(value, name, rule(text))


def _require(value: Struct, *names: str) -> None:
    for name in names:
        if not getattr(value, name):
            raise ValueError(f"{name} is empty")


def _require_currency(code: str) -> None:
    if code and not CURRENCY.fullmatch(code):
        raise ValueError(f"currency {code!r} is not three capital letters such as EUR")


def _fit(line: "ParsedLine", name: str, places: int) -> None:
    try:
        force_setattr(line, name, fitted(getattr(line, name), places=places, digits=MAX_DIGITS))
    except NotANumber as error:
        raise ValueError(f"{name} {str(error).rstrip('.')}") from error
