import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents import json_v1
from connectors.documents.naming import sales_order_name
from connectors.exceptions import RejectedError
from connectors.ports import ExportAttempt
from connectors.types.sales_order import SalesOrder
from tests.connectors.sales_orders import LINE, ORDER

PUBLISHED = Path(__file__).parents[3] / "docs" / "reference" / "orderflow_export_json_v1.schema.json"

EXPECTED = """{
  "export_version": "orderflow_export_json_v1",
  "org_slug": "acme",
  "draft_order_id": "00000000-0000-0000-0000-000000000002",
  "approved_at": "2026-11-23T10:00:00Z",
  "customer": {
    "id": "00000000-0000-0000-0000-000000000003",
    "erp_customer_number": "TOMSP",
    "name": "Toms Spezialitäten"
  },
  "header": {
    "external_order_number": "PO-10258",
    "order_date": "1996-07-17",
    "currency": "EUR",
    "requested_delivery_date": null,
    "notes": null
  },
  "lines": [
    {
      "line_no": 1,
      "internal_sku": "2",
      "qty": 50,
      "uom": "ST",
      "unit_price": 15.2,
      "currency": "EUR",
      "customer_sku_raw": null,
      "description": null
    }
  ],
  "meta": {
    "created_by": "ops@acme.example",
    "source_document": {
      "document_id": "d1",
      "file_name": "order.pdf",
      "sha256": "ab"
    }
  }
}
"""


def with_line(**fields: object) -> SalesOrder:
    return replace(ORDER, lines=(replace(LINE, **fields),))  # type: ignore[arg-type]


def test_the_bytes_are_exactly_those_of_the_contract() -> None:
    assert json_v1.render(ORDER).decode() == EXPECTED


@pytest.mark.parametrize(
    ("value", "written"),
    [("9.80", "9.8"), ("100", "100"), ("1E+2", "100"), ("0", "0"), ("-0", "0"), ("0.0001", "0.0001"), ("0.3", "0.3")],
)
def test_numbers_carry_the_exact_value_without_padding_or_exponent(value: str, written: str) -> None:
    content = json_v1.render(with_line(unit_price=Decimal(value))).decode()
    assert f'"unit_price": {written},' in content


@given(st.decimals(min_value=Decimal("0.001"), max_value=Decimal("999999999999.999"), places=3))
def test_every_quantity_comes_back_as_it_went(qty: Decimal) -> None:
    document = json.loads(json_v1.render(with_line(qty=qty)), parse_float=Decimal, parse_int=Decimal)
    assert document["lines"][0]["qty"] == qty


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_every_text_comes_back_as_it_went(notes: str) -> None:
    assert json.loads(json_v1.render(replace(ORDER, notes=notes)))["header"]["notes"] == notes


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"qty": Decimal(0)}, "quantity 0"),
        ({"qty": Decimal(-1)}, "quantity -1"),
        ({"qty": Decimal("1.0001")}, "3 decimal places"),
        ({"unit_price": Decimal("NaN")}, "4 decimal places"),
        ({"internal_sku": ""}, r"lines\[0\]\.internal_sku"),
        ({"currency": "euro"}, r"lines\[0\]\.currency"),
        ({"description": "half a \ud800 pair"}, "surrogates"),
    ],
)
def test_what_does_not_fit_the_schema_never_leaves(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(RejectedError, match=complaint):
        json_v1.render(with_line(**fields))


def test_an_order_without_lines_is_refused() -> None:
    with pytest.raises(RejectedError, match="lines"):
        json_v1.render(replace(ORDER, lines=()))


def test_the_published_schema_is_the_one_that_is_checked() -> None:
    assert json.loads(PUBLISHED.read_text()) == json_v1.schema()


def test_the_document_is_valid_against_the_published_schema() -> None:
    jsonschema.validate(json.loads(json_v1.render(ORDER)), json.loads(PUBLISHED.read_text()))


@pytest.mark.parametrize("qty", [0, "1", None])
def test_the_published_schema_refuses_wrong_quantities(qty: object) -> None:
    document = json.loads(json_v1.render(ORDER))
    document["lines"][0]["qty"] = qty
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(PUBLISHED.read_text()))


def test_the_name_comes_from_ids_and_the_creation_time_in_utc() -> None:
    created = datetime.fromisoformat("2026-11-23T11:00:00+01:00")
    attempt = ExportAttempt(export_id=UUID("0123456789abcdef0123456789abcdef"), created_at=created)
    name = sales_order_name(UUID(int=2), attempt)
    assert name == "sales_order_00000000-0000-0000-0000-000000000002_20261123T100000Z_01234567.json"
