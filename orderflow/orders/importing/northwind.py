"""Reads a folder in the layout of Microsoft's Northwind sample: customers, products, orders and their lines as CSV."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from msgspec import ValidationError, convert

from orderflow.orders.importing.tables import BadValue, Row, read_table
from orderflow.orders.importing.values import (
    PRICE_PLACES,
    BadRow,
    ParsedLine,
    ParsedOrder,
    UnusableSource,
    in_words,
)

COLUMNS = {
    "customers.csv": ["customer_id", "company_name"],
    "products.csv": ["product_id", "product_name"],
    "orders.csv": ["order_id", "customer_id", "order_date", "required_date"],
    "order_details.csv": ["order_id", "product_id", "unit_price", "quantity", "discount"],
}
CURRENCY = "EUR"
UNIT = "ST"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Catalog:
    """The names of customers and products by their ids."""

    customers: dict[str, str]
    products: dict[str, str]


def read_northwind(folder: Path) -> Iterator[ParsedOrder | BadRow]:
    """An order with a bad line is left out whole. Raises `UnusableSource`."""
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
    """The good rows by `key`; the first of several stands."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.fault:
            bad.append(row.bad(row.fault))
        elif not row[key]:
            bad.append(row.bad(f"{key} is empty."))
        elif row[key] in found:
            bad.append(row.bad(f"{key} {row[key]!r} is a duplicate of line {found[row[key]].line}."))
        else:
            found[row[key]] = row
    return found


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
    lines, bad = _lines(details, catalog)
    yield from bad
    try:
        order = _header(row, lines, catalog)
    except (BadValue, ValidationError) as error:
        yield row.bad(_reason(error))
        return
    if not bad:
        yield order


def _lines(details: list[Row], catalog: _Catalog) -> tuple[list[ParsedLine], list[BadRow]]:
    lines: list[ParsedLine] = []
    bad: list[BadRow] = []
    seen: dict[str, int] = {}
    for row in details:
        try:
            lines.append(_line(row, catalog, earlier=seen.get(row["product_id"])))
        except (BadValue, ValidationError) as error:
            bad.append(row.bad(f"{_reason(error)} Order {row['order_id']!r} was left out."))
        seen.setdefault(row["product_id"], row.line)
    return lines, bad


def _reason(error: BadValue | ValidationError) -> str:
    return in_words(error) if isinstance(error, ValidationError) else str(error)


def _line(row: Row, catalog: _Catalog, *, earlier: int | None) -> ParsedLine:
    if row.fault:
        raise BadValue(row.fault)
    if earlier is not None:
        raise BadValue(f"product_id {row['product_id']!r} is a duplicate of line {earlier}.")
    line = {
        "internal_sku": row["product_id"],
        "description": _known(row, "product_id", catalog.products, "products.csv"),
        "qty": row.as_number("quantity"),
        "uom": UNIT,
        "unit_price": _discounted_price(row),
    }
    return convert(line, ParsedLine)


def _discounted_price(row: Row) -> Decimal:
    price, discount = row.as_number("unit_price"), row.as_number("discount")
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
