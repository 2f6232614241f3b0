import pytest
from django.db import models
from msgspec import Struct
from msgspec.json import schema

from orderflow.orders.importing.values import (
    MAX_DIGITS,
    PRICE_PLACES,
    QTY_PLACES,
    BadRow,
    ParsedCustomer,
    ParsedLine,
    ParsedOrder,
    ParsedSource,
)
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine


def _limits(value: type[Struct]) -> dict[str, int]:
    definition = schema(value)["$defs"][value.__name__]
    return {
        name: limit
        for name, field in definition["properties"].items()
        for limit in [entry["maxLength"] for entry in field.get("anyOf", [field]) if "maxLength" in entry]
    }


@pytest.mark.parametrize(
    ("value", "model", "prefix", "fields"),
    [
        (ParsedCustomer, Customer, "", {"erp_customer_number", "name"}),
        (ParsedOrder, DraftOrder, "", {"external_order_number", "notes"}),
        (ParsedLine, DraftOrderLine, "", {"internal_sku", "uom", "customer_sku_raw", "description"}),
        (ParsedSource, DraftOrder, "source_", {"document_id", "file_name", "sha256"}),
    ],
)
def test_a_text_may_be_as_long_as_its_column(
    value: type[Struct], model: type[models.Model], prefix: str, fields: set[str]
) -> None:
    limits = _limits(value)
    assert limits.keys() == fields
    columns = {field.name: field.max_length for field in model._meta.fields}
    assert limits == {name: columns[f"{prefix}{name}"] for name in fields}


@pytest.mark.parametrize(("name", "places"), [("qty", QTY_PLACES), ("unit_price", PRICE_PLACES)])
def test_a_number_may_be_as_large_and_as_fine_as_its_column(name: str, places: int) -> None:
    column = DraftOrderLine._meta.get_field(name)
    assert isinstance(column, models.DecimalField)
    assert (column.max_digits, column.decimal_places) == (MAX_DIGITS, places)


def test_a_bad_row_reads_as_a_sentence() -> None:
    assert str(BadRow(file="orders.csv", line=12, reason="no.")) == "orders.csv, line 12: no."
