import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[4] / "orderflow/demo/northwind"

GOOD = {
    "customers.csv": "customer_id,company_name\nTOMSP,Toms Spezialitäten\nVINET,Vins et alcools Chevalier\n",
    "products.csv": "product_id,product_name\n11,Queso Cabrales\n14,Tofu\n",
    "orders.csv": (
        "order_id,customer_id,order_date,required_date\n"
        "10248,VINET,1996-07-04,1996-08-01\n"
        "10249,TOMSP,1996-07-05,1996-08-16\n"
    ),
    "order_details.csv": (
        "order_id,product_id,unit_price,quantity,discount\n"
        "10248,11,14.00,12,0.00\n"
        "10249,14,18.60,9,0.00\n"
        "10249,11,14.00,40,0.15\n"
    ),
}
Northwind = Callable[..., Path]
Orders = Callable[..., Path]


@pytest.fixture
def northwind(tmp_path: Path) -> Northwind:
    """A folder with two orders; `(file, old, new)` changes one file."""

    def write(*changes: tuple[str, str | bytes, str | bytes]) -> Path:
        for name, text in GOOD.items():
            content = text.encode()
            for file, old, new in changes:
                if file == name:
                    assert _bytes(old) in content
                    content = content.replace(_bytes(old), _bytes(new))
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def order(**changes: Any) -> dict[str, Any]:
    """An order as the API takes it."""
    return {
        "external_order_number": "PO-1",
        "order_date": "2026-11-23",
        "currency": "EUR",
        "requested_delivery_date": None,
        "notes": None,
        "customer": {"erp_customer_number": "TOMSP", "name": "Toms Spezialitäten"},
        "lines": [{"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 12.16, "description": "Chang"}],
        **changes,
    }


@pytest.fixture
def orders_file(tmp_path: Path) -> Orders:
    """A JSON file with one order to a line, or with the very bytes given."""

    def write(*orders: dict[str, Any], raw: bytes | None = None) -> Path:
        path = tmp_path / "orders.json"
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in orders)
        path.write_bytes(f"[\n{lines}\n]\n".encode() if raw is None else raw)
        return path

    return write
