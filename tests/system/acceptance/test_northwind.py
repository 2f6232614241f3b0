"""Real orders through the product in one process: import, approve, push, deliver; then every byte is looked at."""

import csv
import hashlib
import json
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command

from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.orders import approval
from orderflow.orders.models import DraftOrder

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "orderflow" / "demo" / "northwind"
# The whole data set, where it lies beside the project; the sample in the project is a part of it.
WHOLE = ROOT.parent / "shared" / "northwind"
SOURCES = [source for source in (SAMPLE, WHOLE) if source.exists()]


def table(source: Path, name: str) -> list[dict[str, str]]:
    with (source / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected_lines(source: Path) -> dict[str, list[tuple[str, Decimal, Decimal]]]:
    """SKU, quantity and price by order number, worked out from the CSV files alone."""
    lines: dict[str, list[tuple[str, Decimal, Decimal]]] = defaultdict(list)
    for row in table(source, "order_details"):
        price = Decimal(row["unit_price"]) * (1 - Decimal(row["discount"]))
        rounded = price.quantize(Decimal("0.0001"), ROUND_HALF_UP)
        lines[f"PO-{row['order_id']}"].append((row["product_id"], Decimal(row["quantity"]), rounded))
    return lines


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_every_order_becomes_one_exact_file(
    source: Path, connection: ERPConnection, folder: Path, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    orders = table(source, "orders")
    call_command("import_orders", str(source), "--organization", "acme", "--user", "ina")
    for order in DraftOrder.objects.all():
        approval.approve(order, "eva")
    with django_capture_on_commit_callbacks(execute=False) as wake_ups:
        call_command("push_orders", "acme")
    assert len(wake_ups) == len(orders)
    while ERPExport.objects.filter(status="PENDING").exists():
        drain.drain(connection.pk)

    files = {path.name: path.read_bytes() for path in (folder / "in").iterdir()}
    exports = ERPExport.objects.in_bulk(field_name="id")
    assert len(files) == len(exports) == len(orders)
    for export in exports.values():
        assert files[export.filename] == (tmp_path / "storage" / export.storage_key).read_bytes()
        assert hashlib.sha256(files[export.filename]).hexdigest() == export.document_sha256

    schema = json.loads((ROOT / "docs" / "reference" / "orderflow_export_json_v1.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    documents = {}
    for content in files.values():
        validator.validate(json.loads(content))
        document = json.loads(content, parse_float=Decimal, parse_int=Decimal)
        documents[document["header"]["external_order_number"]] = document

    lines = expected_lines(source)
    customers = {row["customer_id"]: row["company_name"] for row in table(source, "customers")}
    for row in orders:
        document = documents[f"PO-{row['order_id']}"]
        assert document["customer"]["erp_customer_number"] == row["customer_id"]
        assert document["customer"]["name"] == customers[row["customer_id"]]
        assert document["header"]["order_date"] == row["order_date"]
        assert document["header"]["requested_delivery_date"] == row["required_date"]
        found = [(line["internal_sku"], line["qty"], line["unit_price"]) for line in document["lines"]]
        assert found == lines[f"PO-{row['order_id']}"]

    text = next(content for content in files.values() if b'"PO-10249"' in content).decode("utf-8")
    assert '"name": "Toms Spezialitäten"' in text
    assert '"unit_price": 9.8,' in next(c for c in files.values() if b'"PO-10248"' in c).decode()
