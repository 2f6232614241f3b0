"""Reads a folder in the layout of Microsoft's Northwind sample: customers, products, orders and their lines as CSV."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from msgspec import ValidationError, convert

from orderflow.orders.importing.csv_tables import BadValue, Row, read_table
from orderflow.orders.importing.values import (
    PRICE_PLACES,
    QTY_PLACES,
    BadRow,
    ParsedLine,
    ParsedOrder,
    UnusableSource,
    validation_text,
)

COLUMNS = {
    "customers.csv": ["customer_id", "company_name"],
    "products.csv": ["product_id", "product_name"],
    "orders.csv": ["order_id", "customer_id", "order_date", "required_date"],
    "order_details.csv": ["order_id", "product_id", "unit_price", "quantity", "discount"],
}
CURRENCY = "EUR"
UNIT = "ST"
DISCOUNT_PLACES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class _Catalog:
    """The names of customers and products by their ids."""

    customers: dict[str, str]
    products: dict[str, str]


def read_northwind(folder: Path) -> Iterator[ParsedOrder | BadRow]:
    """An order that is not complete, or not certain, is left out whole. Raises `UnusableSource`."""
    tables = _tables(folder)
    bad: list[BadRow] = []
    catalog = _Catalog(
        customers=_names(_unique(tables["customers.csv"], "customer_id", bad), "company_name"),
        products=_names(_unique(tables["products.csv"], "product_id", bad), "product_name"),
    )
    orders = _unique(tables["orders.csv"], "order_id", bad)
    yield from bad
    details = _grouped(tables["order_details.csv"])
    for number, row in orders.items():
        yield from _order(row, details.get(number, []), catalog)
    yield from _homeless(details, known={row["order_id"] for row in tables["orders.csv"]})


def _tables(folder: Path) -> dict[str, list[Row]]:
    missing = [name for name in COLUMNS if not (folder / name).is_file()]
    if missing:
        raise UnusableSource(f"{folder} has no {', '.join(missing)}. A Northwind folder holds {', '.join(COLUMNS)}.")
    return {name: read_table(folder / name, columns) for name, columns in COLUMNS.items()}


def _unique(rows: Iterable[Row], key: str, bad: list[BadRow]) -> dict[str, Row]:
    """The good rows by `key`. Of several that are equal the first stands, of several that differ none does."""
    found: dict[str, Row] = {}
    contradicted: set[str] = set()
    for row in rows:
        first = found.setdefault(row[key], row) if row[key] and not row.fault else row
        if row.fault:
            bad.append(row.bad(row.fault))
        elif not row[key]:
            bad.append(row.bad(f"{key} is empty."))
        elif first.cells != row.cells:
            bad.append(row.bad(f"{key} {row[key]!r} differs from line {first.line}. Neither row was used."))
            contradicted.add(row[key])
        elif first is not row:
            bad.append(row.bad(f"{key} {row[key]!r} is a duplicate of line {first.line}."))
    return {name: row for name, row in found.items() if name not in contradicted}


def _names(rows: dict[str, Row], column: str) -> dict[str, str]:
    return {key: row[column] for key, row in rows.items()}


def _grouped(details: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in details:
        groups[row["order_id"]].append(row)
    return groups


def _homeless(details: dict[str, list[Row]], known: set[str]) -> Iterator[BadRow]:
    for number, rows in details.items():
        if number not in known:
            yield from (row.bad(row.fault or f"order_id {number!r} is not in orders.csv.") for row in rows)


def _order(row: Row, details: list[Row], catalog: _Catalog) -> Iterator[ParsedOrder | BadRow]:
    if not details:
        yield row.bad(f"order_id {row['order_id']!r} has no row in order_details.csv. The order was left out.")
    lines, bad = _lines(details, catalog)
    yield from bad
    try:
        order = _header(row, lines, catalog)
    except (BadValue, ValidationError) as error:
        yield row.bad(_reason(error))
        return
    if lines and not bad:
        yield order


def _lines(details: list[Row], catalog: _Catalog) -> tuple[list[ParsedLine], list[BadRow]]:
    lines: list[ParsedLine] = []
    bad: list[BadRow] = []
    for row in details:
        try:
            lines.append(_line(row, catalog))
        except (BadValue, ValidationError) as error:
            bad.append(row.bad(f"{_reason(error)} Order {row['order_id']!r} was left out."))
    return lines, bad


def _reason(error: BadValue | ValidationError) -> str:
    return validation_text(error) if isinstance(error, ValidationError) else str(error)


def _line(row: Row, catalog: _Catalog) -> ParsedLine:
    if row.fault:
        raise BadValue(row.fault)
    line = {
        "internal_sku": row["product_id"],
        "description": _known(row, "product_id", catalog.products, "products.csv"),
        "qty": row.as_number("quantity", places=QTY_PLACES),
        "uom": UNIT,
        "unit_price": _discounted_price(row),
    }
    return convert(line, ParsedLine)


def _discounted_price(row: Row) -> Decimal:
    price = row.as_number("unit_price", places=PRICE_PLACES)
    discount = row.as_number("discount", places=DISCOUNT_PLACES)
    if not 0 <= discount <= 1:
        raise BadValue(f"discount {row['discount']!r} is not between 0 and 1.")
    return (price * (1 - discount)).quantize(Decimal(1).scaleb(-PRICE_PLACES), ROUND_HALF_UP)


def _header(row: Row, lines: list[ParsedLine], catalog: _Catalog) -> ParsedOrder:
    order = {
        "external_order_number": f"PO-{row['order_id']}",
        "customer": {
            "erp_customer_number": row["customer_id"],
            "name": _known(row, "customer_id", catalog.customers, "customers.csv"),
        },
        "order_date": row.as_date("order_date"),
        "currency": CURRENCY,
        "requested_delivery_date": row.as_date("required_date"),
        "lines": lines,
    }
    return convert(order, ParsedOrder)


def _known(row: Row, column: str, names: dict[str, str], file: str) -> str:
    if row[column] not in names:
        raise BadValue(f"{column} {row[column]!r} has no good row in {file}.")
    return names[row[column]]
