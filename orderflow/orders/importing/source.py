"""A file or folder of orders, read whole: the readers never touch the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orderflow.orders.importing.json_orders import read_json_orders
from orderflow.orders.importing.northwind import read_northwind
from orderflow.orders.importing.values import BadRow, ParsedOrder, UnusableSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    name: str
    orders: list[ParsedOrder]
    bad: list[BadRow]


def read_source(path: Path) -> Source:
    """Raises `UnusableSource`."""
    orders, bad = [], []
    try:
        for parsed in _reader(path):
            if isinstance(parsed, BadRow):
                bad.append(parsed)
            else:
                orders.append(parsed)
    except OSError as error:
        raise UnusableSource(f"{path} cannot be read: {error.strerror}.") from error
    return Source(name=path.name, orders=orders, bad=bad)


def _reader(path: Path) -> Iterator[ParsedOrder | BadRow]:
    if path.is_dir():
        return read_northwind(path)
    if path.exists():
        return read_json_orders(path)
    raise UnusableSource(f"{path} does not exist. Name a folder in Northwind's layout or a JSON file of orders.")
