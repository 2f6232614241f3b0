import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.orders.importing.source import read_source
from orderflow.orders.importing.values import BadRow, UnusableSource
from tests.orderflow.orders.importing.conftest import Orders, order

LINE = {"internal_sku": "2", "qty": 1, "uom": "ST"}


def test_an_order_is_read_as_it_stands(orders_file: Orders) -> None:
    document = {"document_id": "d-1", "file_name": "order.pdf", "sha256": "ab" * 32}
    source = read_source(orders_file(order(notes="Ring twice", source_document=document)))
    [read] = source.orders
    assert source.bad == []
    assert read.identity == ("TOMSP", "PO-1")
    assert (read.customer.name, read.notes) == ("Toms Spezialit\u00e4ten", "Ring twice")
    assert (read.order_date, read.requested_delivery_date) == (date(2026, 11, 23), None)
    assert (read.lines[0].qty, read.lines[0].unit_price) == (Decimal(50), Decimal("12.16"))
    assert read.source_document is not None
    assert read.source_document.file_name == "order.pdf"


@pytest.mark.parametrize("number", ["0.1", "9.80", "123456789012.345", "1e2", '"0.1"', "-0.001", "0"])
def test_numbers_are_exact(orders_file: Orders, number: str) -> None:
    raw = json.dumps([order(lines=[{**LINE, "qty": "QTY"}])]).replace('"QTY"', number).encode()
    [read] = read_source(orders_file(raw=raw)).orders
    assert read.lines[0].qty == Decimal(number.strip('"'))


def test_a_line_without_a_number_has_that_of_its_place(orders_file: Orders) -> None:
    [read] = read_source(orders_file(order(lines=[LINE, {**LINE, "line_no": 20}, LINE]))).orders
    assert [number for number, _ in read.numbered_lines] == [1, 20, 3]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no customer": ({"customer": None}, "customer: Expected `object`, got `null`."),
    "no customer number": (
        {"customer": {"erp_customer_number": "", "name": "X"}},
        "customer.erp_customer_number: Expected `str` of length >= 1.",
    ),
    "no order number": ({"external_order_number": ""}, "external_order_number: Expected `str` of length >= 1."),
    "number that is no text": ({"external_order_number": 7}, "external_order_number: Expected `str`, got `int`."),
    "date": ({"order_date": "2026-02-30"}, "order_date: Invalid RFC3339 encoded date."),
    "currency": ({"currency": "eur"}, "currency 'eur' is not three capital letters such as EUR."),
    "unknown field": ({"colour": "red"}, "Object contains unknown field `colour`."),
    "quantity": (
        {"lines": [LINE, {**LINE, "qty": "many"}]},
        "lines[1].qty: 'many' is not a number. Write it with digits and a decimal point, such as 18.90.",
    ),
    "quantity missing": ({"lines": [{"internal_sku": "2"}]}, "lines[0]: Object missing required field `qty`."),
    "quantity not finite": (
        {"lines": [{**LINE, "qty": "NaN"}]},
        "lines[0].qty: 'NaN' is not a number. Write it with digits and a decimal point, such as 18.90.",
    ),
    "quantity too fine": (
        {"lines": [{**LINE, "qty": 1.0001}]},
        "lines[0]: qty 1.0001 has too many decimals: at most 3. Round it.",
    ),
    "quantity too large": (
        {"lines": [{**LINE, "qty": 10**12}]},
        "lines[0]: qty 1000000000000 is too large: at most 12 digits before the decimal point.",
    ),
    "price too fine": (
        {"lines": [{**LINE, "unit_price": "0.00001"}]},
        "lines[0]: unit_price 0.00001 has too many decimals: at most 4. Round it.",
    ),
    "quantity with a comma": (
        {"lines": [{**LINE, "qty": "9,5"}]},
        "lines[0].qty: '9,5' is not a number. Write it with digits and a decimal point, such as 18.90.",
    ),
    "price in full-width digits": (
        {"lines": [LINE, {**LINE, "unit_price": "\uff11"}]},
        "lines[1].unit_price: '\uff11' is not a number. Write it with digits and a decimal point, such as 18.90.",
    ),
    "no lines": ({"lines": []}, "the order has no lines. It was left out."),
    "customer number of blanks": (
        {"customer": {"erp_customer_number": " \u00a0", "name": "X"}},
        "customer: erp_customer_number is empty.",
    ),
    "invisible character": (
        {"external_order_number": "PO\u200b1"},
        "external_order_number: Character 3 is U+200B, which is invisible. Remove it.",
    ),
    "line number": ({"lines": [{**LINE, "line_no": 0}]}, "lines[0].line_no: Expected `int` >= 1."),
    "line number used twice": (
        {"lines": [{**LINE, "line_no": 2}, LINE]},
        "two lines have the same line_no.",
    ),
    "text too long": ({"notes": "x" * 4001}, "notes: Expected `str` of length <= 4000."),
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_order_is_told_by_line_and_reason_and_the_others_are_read(
    orders_file: Orders, change: dict[str, Any], reason: str
) -> None:
    good = order(external_order_number="PO-2")
    source = read_source(orders_file(order(**change), good))
    assert source.bad == [BadRow(file="orders.json", line=2, reason=reason)]
    assert [read.external_order_number for read in source.orders] == ["PO-2"]


def test_the_line_told_is_that_of_the_order_in_the_file(orders_file: Orders) -> None:
    orders = [order(external_order_number=number) for number in ("PO-1", "", "PO-2", "")]
    raw = json.dumps(orders, indent=2).encode()
    starts = [number for number, text in enumerate(raw.split(b"\n"), start=1) if text == b"  {"]
    assert [bad.line for bad in read_source(orders_file(raw=raw)).bad] == [starts[1], starts[3]]


def test_of_two_equal_orders_of_one_customer_the_first_stands(orders_file: Orders) -> None:
    other = {"erp_customer_number": "ERNSH", "name": "Ernst Handel"}
    source = read_source(orders_file(order(), order(customer=other), order(external_order_number="PO-1\u00a0")))
    assert [bad.line for bad in source.bad] == [4]
    assert source.bad[0].reason == "order 'PO-1' of customer 'TOMSP' is a duplicate of line 2."
    assert [read.currency for read in source.orders] == ["EUR", "EUR"]


def test_of_two_orders_that_contradict_each_other_none_is_read(orders_file: Orders) -> None:
    source = read_source(orders_file(order(), order(currency="CHF"), order(), order(external_order_number="PO-2")))
    assert [str(bad) for bad in source.bad] == [
        "orders.json, line 3: order 'PO-1' of customer 'TOMSP' differs from line 2. Neither was imported.",
        "orders.json, line 4: order 'PO-1' of customer 'TOMSP' is a duplicate of line 2.",
    ]
    assert [read.external_order_number for read in source.orders] == ["PO-2"]


@pytest.mark.parametrize("kept", range(1, 200, 7))
def test_a_file_that_was_cut_off_is_unusable(orders_file: Orders, kept: int) -> None:
    whole = orders_file(order()).read_bytes().rstrip()
    with pytest.raises(UnusableSource, match="is not a JSON array of orders"):
        read_source(orders_file(raw=whole[:-kept]))


def test_two_orders_of_one_number_on_one_line_are_still_two(orders_file: Orders) -> None:
    source = read_source(orders_file(raw=json.dumps([order(), order()]).encode()))
    assert (len(source.orders), len(source.bad)) == (1, 1)


def test_an_order_that_is_not_utf_8_costs_itself_only(orders_file: Orders) -> None:
    latin = json.dumps(order(), ensure_ascii=False).encode("latin-1")
    raw = b"[" + latin + b",\n" + json.dumps(order(external_order_number="PO-2")).encode() + b"]"
    source = read_source(orders_file(raw=raw))
    assert [str(bad) for bad in source.bad] == ["orders.json, line 1: the order is not UTF-8. Save the file as UTF-8."]
    assert len(source.orders) == 1


def test_a_byte_order_mark_is_no_trouble(orders_file: Orders) -> None:
    raw = b"\xef\xbb\xbf" + json.dumps([order()]).encode()
    assert len(read_source(orders_file(raw=raw)).orders) == 1


def test_what_is_no_order_at_all_is_a_bad_row(orders_file: Orders) -> None:
    source = read_source(orders_file(raw=b"[3,\n null,\n []]"))
    assert [(bad.line, bad.reason) for bad in source.bad] == [
        (1, "Expected `object`, got `int`."),
        (2, "Expected `object`, got `null`."),
        (3, "Expected `object`, got `array`."),
    ]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1,]", b"[{]", b"nonsense", b'[{"qty": NaN}]', b"[" * 100_000])
def test_a_file_that_is_no_json_array_is_unusable(orders_file: Orders, raw: bytes) -> None:
    with pytest.raises(UnusableSource, match=r"orders\.json is not a JSON array of orders: .+ Mend the file\."):
        read_source(orders_file(raw=raw))


@given(st.binary(max_size=100))
def test_no_bytes_at_all_get_past_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("json") / "orders.json"
    path.write_bytes(b"[" + content + b"]")
    try:
        told = [str(bad) for bad in read_source(path).bad]
    except UnusableSource as refused:
        told = [str(refused)]
    assert all("orders.json" in text for text in told)


def test_a_file_that_cannot_be_read_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UnusableSource, match="does not exist"):
        read_source(tmp_path / "loop")
