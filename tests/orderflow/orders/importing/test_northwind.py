from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.orders.importing.northwind import read_northwind
from orderflow.orders.importing.source import Source, read_source
from orderflow.orders.importing.values import BadRow, ParsedOrder, UnusableSource
from tests.orderflow.orders.importing.conftest import GOOD, SAMPLE, Northwind


@pytest.fixture(scope="module")
def sample() -> Source:
    return read_source(SAMPLE)


def test_the_sample_has_its_200_orders_with_all_their_lines(sample: Source) -> None:
    assert sample.bad == []
    assert [order.external_order_number for order in sample.orders] == [f"PO-{n}" for n in range(10248, 10448)]
    lines = [line for order in sample.orders for line in order.lines]
    assert len(lines) == 531
    # Summed over the CSV with awk.
    assert sum(line.qty for line in lines) == 12954
    assert sum(line.qty * line.unit_price for line in lines) == Decimal("286421.2950")


def test_the_sample_holds_the_customers_and_products_that_its_orders_use_and_no_others(sample: Source) -> None:
    def ids(file: str) -> set[str]:
        return {row.split(",")[0] for row in (SAMPLE / file).read_text(encoding="utf-8").splitlines()[1:]}

    assert ids("customers.csv") == {order.customer.erp_customer_number for order in sample.orders}
    assert ids("products.csv") == {line.internal_sku for order in sample.orders for line in order.lines}


def test_an_order_is_mapped_as_the_file_contract_has_it(sample: Source) -> None:
    order = next(order for order in sample.orders if order.external_order_number == "PO-10258")
    assert (order.customer.erp_customer_number, order.customer.name) == ("ERNSH", "Ernst Handel")
    assert (order.order_date, order.requested_delivery_date) == (date(1996, 7, 17), date(1996, 8, 14))
    assert (order.currency, order.notes) == ("EUR", None)
    line = order.lines[0]
    assert (line.internal_sku, line.description, line.qty, line.uom) == ("2", "Chang", Decimal(50), "ST")
    # 15.20 less 20 %.
    assert line.unit_price == Decimal("12.16")
    assert [number for number, _ in order.numbered_lines] == [1, 2, 3]


def test_names_keep_their_real_characters(sample: Source) -> None:
    names = {order.customer.erp_customer_number: order.customer.name for order in sample.orders}
    assert names["TOMSP"] == "Toms Spezialit\u00e4ten"
    assert names["LAMAI"] == "La maison d'Asie"


@pytest.mark.parametrize(
    ("price", "discount", "expected"),
    [
        ("9.80", "0.00", "9.8"),
        ("15.20", "0.20", "12.16"),
        ("0.0333", "0.50", "0.0167"),
        ("0.0001", "0.50", "0.0001"),
        ("0.0001", "0.51", "0"),
        ("5.0001", "0.5", "2.5001"),
        ("5.0001", "0.500002", "2.5000"),
        ("99999999999.9999", "0", "99999999999.9999"),
        ("10", "1", "0"),
        ("-5.00", "0.1", "-4.5"),
        ("-0.0001", "0.5", "-0.0001"),
    ],
)
def test_a_discount_is_in_the_price_rounded_half_up_to_4_places(
    northwind: Northwind, price: str, discount: str, expected: str
) -> None:
    folder = northwind(("order_details.csv", "14.00,12,0.00", f"{price},12,{discount}"))
    order = next(iter(read_northwind(folder)))
    assert isinstance(order, ParsedOrder)
    assert order.lines[0].unit_price == Decimal(expected)


def test_a_byte_order_mark_crlf_and_blank_lines_are_no_trouble(northwind: Northwind) -> None:
    folder = northwind()
    for name, text in GOOD.items():
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n\r\n").encode())
    assert [type(order) for order in read_northwind(folder)] == [ParsedOrder, ParsedOrder]


def test_columns_are_found_by_name_and_others_are_passed_over(northwind: Northwind) -> None:
    folder = northwind()
    rows = [row.split(",") for row in GOOD["order_details.csv"].splitlines()]
    turned = "\n".join(",".join([*reversed(row), "more"]) for row in rows)
    (folder / "order_details.csv").write_text(turned, encoding="utf-8")
    first = next(iter(read_northwind(folder)))
    assert isinstance(first, ParsedOrder)
    assert (first.lines[0].internal_sku, first.lines[0].qty) == ("11", Decimal(12))


DETAILS, ORDERS, CUSTOMERS, PRODUCTS = "order_details.csv", "orders.csv", "customers.csv", "products.csv"
LEFT_OUT = "Order '10249' was left out."
# What is changed, and all that is told of it. Order 10249 has the trouble every time; 10248 is always good.
BAD = {
    "quantity": (
        (DETAILS, "18.60,9,", "18.60,nine,"),
        [(DETAILS, 3, f"quantity 'nine' is not a number. Write it as 1234.50 or 1234,50. {LEFT_OUT}")],
    ),
    "quantity with two readings": (
        (DETAILS, "18.60,9,", '18.60,"9,500",'),
        [(DETAILS, 3, f"quantity '9,500' is ambiguous. Write 9500 or 9,5000. {LEFT_OUT}")],
    ),
    "price with the noise of a binary fraction": (
        (DETAILS, "18.60", "9.8000000000000007"),
        [(DETAILS, 3, f"unit_price 9.8000000000000007 has too many decimals: at most 4. Round it. {LEFT_OUT}")],
    ),
    "minus at the end": (
        (DETAILS, "18.60", "18.60-"),
        [(DETAILS, 3, f"unit_price '18.60-' has its minus sign at the end. Write -18.60. {LEFT_OUT}")],
    ),
    "order without lines": (
        (DETAILS, "10249,14,18.60,9,0.00\n10249,11,14.00,40,0.15\n", ""),
        [(ORDERS, 3, "order_id '10249' has no row in order_details.csv. The order was left out.")],
    ),
    "file cut off in a line": (
        (DETAILS, "40,0.15\n", "40,0.1"),
        [
            (
                DETAILS,
                4,
                f"the file ends within this row. If the row is complete, add a line break behind it. {LEFT_OUT}",
            )
        ],
    ),
    "file cut off in an order": (
        (ORDERS, "1996-08-16\n", "1996-08-1"),
        [(ORDERS, 3, "the file ends within this row. If the row is complete, add a line break behind it.")],
    ),
    "customer twice with two names": (
        (CUSTOMERS, "VINET,", "TOMSP,Tom\nVINET,"),
        [
            (CUSTOMERS, 3, "customer_id 'TOMSP' differs from line 2. Neither row was used."),
            (ORDERS, 3, "customer_id 'TOMSP' has no good row in customers.csv."),
        ],
    ),
    "order twice with two dates": (
        (ORDERS, "10249,TOMSP,1996-07-05,1996-08-16\n", "10249,TOMSP,1996-07-05,\n10249,TOMSP,1996-07-05,1996-08-16\n"),
        [(ORDERS, 4, "order_id '10249' differs from line 3. Neither row was used.")],
    ),
    "quantity not a number": (
        (DETAILS, "18.60,9,", "18.60,NaN,"),
        [(DETAILS, 3, f"quantity 'NaN' is not a number. Write it as 1234.50 or 1234,50. {LEFT_OUT}")],
    ),
    "quantity missing": (
        (DETAILS, "18.60,9,", "18.60,,"),
        [(DETAILS, 3, f"quantity '' is no number: it is empty. {LEFT_OUT}")],
    ),
    "quantity too fine": (
        (DETAILS, "18.60,9,", "18.60,9.0001,"),
        [
            (
                DETAILS,
                3,
                f"quantity 9.0001 has too many decimals: at most 3. Round it. {LEFT_OUT}",
            )
        ],
    ),
    "price": (
        (DETAILS, "18.60", "1e3"),
        [(DETAILS, 3, f"unit_price '1e3' has an exponent. Write all its digits. {LEFT_OUT}")],
    ),
    "discount": (
        (DETAILS, "9,0.00", "9,15"),
        [(DETAILS, 3, f"discount '15' is not between 0 and 1. {LEFT_OUT}")],
    ),
    "unknown product": (
        (DETAILS, "10249,14", "10249,99"),
        [(DETAILS, 3, f"product_id '99' has no good row in products.csv. {LEFT_OUT}")],
    ),
    "line with a cell too few": (
        (DETAILS, "10249,14,18.60,9,0.00", "10249,14,18.60,9"),
        [(DETAILS, 3, f"the row has 4 cells; the header names 5. {LEFT_OUT}")],
    ),
    "two bad lines": (
        (DETAILS, "10249,", "10249,0"),
        [
            (DETAILS, 3, f"product_id '014' has no good row in products.csv. {LEFT_OUT}"),
            (DETAILS, 4, f"product_id '011' has no good row in products.csv. {LEFT_OUT}"),
        ],
    ),
    "order date": (
        (ORDERS, "1996-07-05", "1996-02-30"),
        [(ORDERS, 3, "order_date '1996-02-30' is not a date such as 1996-07-04.")],
    ),
    "required date": (
        (ORDERS, "1996-08-16", "16.08.1996"),
        [(ORDERS, 3, "required_date '16.08.1996' is not a date such as 1996-07-04.")],
    ),
    "unknown customer": (
        (ORDERS, "TOMSP", "NOONE"),
        [(ORDERS, 3, "customer_id 'NOONE' has no good row in customers.csv.")],
    ),
    "order with a cell too many": (
        (ORDERS, "1996-08-16", "1996-08-16,x"),
        [(ORDERS, 3, "the row has 5 cells; the header names 4.")],
    ),
    "order that is not UTF-8": (
        (ORDERS, "1996-08-16", b"\xe4"),
        [(ORDERS, 3, "the row is not UTF-8. Save the file as UTF-8.")],
    ),
    "customer that is not UTF-8": (
        (CUSTOMERS, "ä", b"\xe4"),
        [
            (CUSTOMERS, 2, "the row is not UTF-8. Save the file as UTF-8."),
            (ORDERS, 3, "customer_id 'TOMSP' has no good row in customers.csv."),
        ],
    ),
    "customer's name too long": (
        (CUSTOMERS, "Toms Spezialitäten", "x" * 201),
        [(ORDERS, 3, "customer.name: Expected `str` of length <= 200.")],
    ),
    "NUL in a name": (
        (CUSTOMERS, "Toms ", "Toms\0"),
        [(ORDERS, 3, "customer.name: Expected `str` matching regex '\\\\A[^\\\\x00]*\\\\Z'.")],
    ),
    "product without an id": (
        (PRODUCTS, "14,", ","),
        [
            (PRODUCTS, 3, "product_id is empty."),
            (DETAILS, 3, f"product_id '14' has no good row in products.csv. {LEFT_OUT}"),
        ],
    ),
}


@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_told_by_file_line_and_reason_and_costs_its_own_order_only(
    northwind: Northwind, change: tuple[str, str, str], expected: list[tuple[str, int, str]]
) -> None:
    source = read_source(northwind(change))
    assert [(bad.file, bad.line, bad.reason) for bad in source.bad] == expected
    assert [order.external_order_number for order in source.orders] == ["PO-10248"]


def test_of_two_equal_orders_the_first_stands(northwind: Northwind) -> None:
    again = "10249,TOMSP,1996-07-05,1996-08-16\n10248 ,VINET,1996-07-04,1996-08-01\n"
    source = read_source(northwind((ORDERS, "10249,TOMSP,1996-07-05,1996-08-16\n", again)))
    assert source.bad == [BadRow(file=ORDERS, line=4, reason="order_id '10248' is a duplicate of line 2.")]
    assert [order.customer.erp_customer_number for order in source.orders] == ["VINET", "TOMSP"]


def test_a_line_of_no_order_is_told(northwind: Northwind) -> None:
    source = read_source(northwind((DETAILS, "10248,11", "1O248,11")))
    assert [str(bad) for bad in source.bad] == [
        "orders.csv, line 2: order_id '10248' has no row in order_details.csv. The order was left out.",
        "order_details.csv, line 2: order_id '1O248' is not in orders.csv.",
    ]


def test_the_lines_of_an_order_that_was_told_already_are_not_told_again(northwind: Northwind) -> None:
    source = read_source(northwind((ORDERS, "10249,TOMSP,1996-07-05,1996-08-16", "10249,TOMSP")))
    assert [(bad.file, bad.line) for bad in source.bad] == [(ORDERS, 3)]


def test_a_row_is_told_by_the_line_that_it_starts_in(northwind: Northwind) -> None:
    folder = northwind((PRODUCTS, "Queso Cabrales", '"Queso\n\nCabrales"'), (PRODUCTS, "14,Tofu", ",Tofu"))
    assert read_source(folder).bad[0] == BadRow(file=PRODUCTS, line=5, reason="product_id is empty.")


@pytest.mark.parametrize("quantity", ["0", "-3"])
def test_a_quantity_that_is_a_number_is_left_to_the_ready_check(northwind: Northwind, quantity: str) -> None:
    source = read_source(northwind((DETAILS, "18.60,9,", f"18.60,{quantity},")))
    assert source.bad == []
    assert source.orders[1].lines[0].qty == Decimal(quantity)


def test_an_order_may_have_no_delivery_date(northwind: Northwind) -> None:
    source = read_source(northwind((ORDERS, "1996-08-01", "")))
    assert source.bad == []
    assert source.orders[0].requested_delivery_date is None


def test_a_product_may_be_in_an_order_twice(northwind: Northwind) -> None:
    """A free item beside a paid one; the API takes both."""
    source = read_source(northwind((DETAILS, "10249,14,18.60", "10249,11,0.00")))
    assert source.bad == []
    assert [(line.internal_sku, line.unit_price) for line in source.orders[1].lines] == [
        ("11", 0),
        ("11", Decimal("11.9")),
    ]


def test_invisible_blanks_do_not_tear_an_order_and_its_lines_apart(northwind: Northwind) -> None:
    source = read_source(northwind((DETAILS, "10249,", "10249\u00a0 ,"), (ORDERS, "TOMSP,", " TOMSP\ufeff,")))
    assert source.bad == []
    assert [(order.customer.erp_customer_number, len(order.lines)) for order in source.orders] == [
        ("VINET", 1),
        ("TOMSP", 2),
    ]


def test_decimal_commas_are_read(northwind: Northwind) -> None:
    source = read_source(northwind((DETAILS, "18.60,9,0.00", '"1.018,60","9,5","0,5"')))
    assert source.bad == []
    line = source.orders[1].lines[0]
    assert (line.qty, line.unit_price) == (Decimal("9.5"), Decimal("509.3"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((ORDERS, "order_id,", "Order_ID,"), "Columns found: Order_ID, customer_id, order_date, required_date."),
        ((ORDERS, GOOD[ORDERS], GOOD[ORDERS].replace(",", ";")), "separated by semicolons. Separate them by commas."),
        ((ORDERS, GOOD[ORDERS], GOOD[ORDERS].encode("utf-16")), "orders.csv is UTF-16. Save it as CSV in UTF-8."),
        ((DETAILS, "discount\n", "quantity,discount\n"), "line 1: column quantity occurs more than once."),
    ],
)
def test_a_header_that_does_not_fit_is_told_with_what_was_found(
    northwind: Northwind, change: tuple[str, str, str | bytes], message: str
) -> None:
    with pytest.raises(UnusableSource) as unusable:
        read_source(northwind(change))
    assert message in str(unusable.value)


@pytest.mark.parametrize("name", GOOD)
def test_a_folder_that_lacks_a_file_is_unusable(northwind: Northwind, name: str) -> None:
    folder = northwind()
    (folder / name).unlink()
    with pytest.raises(UnusableSource, match=rf"has no {name}\. A Northwind folder holds customers\.csv"):
        read_source(folder)


@pytest.mark.parametrize(("name", "column"), [(name, text.split(",")[0]) for name, text in GOOD.items()])
def test_a_file_that_lacks_a_column_is_unusable(northwind: Northwind, name: str, column: str) -> None:
    with pytest.raises(UnusableSource, match=rf"{name}, line 1: no column {column}\."):
        read_source(northwind((name, column, "id")))


def test_an_empty_file_is_unusable(northwind: Northwind) -> None:
    with pytest.raises(UnusableSource, match=r"products\.csv, line 1: no column product_id, product_name"):
        read_source(northwind((PRODUCTS, GOOD[PRODUCTS], "")))


def test_a_quote_that_swallows_other_rows_makes_the_folder_unusable(northwind: Northwind) -> None:
    with pytest.raises(UnusableSource, match=r"order_details\.csv, line 3: the quotes do not match"):
        read_source(northwind((DETAILS, "10249,14", '10249,"14')))


@given(st.binary(max_size=300))
def test_no_bytes_at_all_get_past_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A file of anything gives orders, bad rows, or one clear refusal."""
    folder = tmp_path_factory.mktemp("northwind")
    for name, text in GOOD.items():
        (folder / name).write_bytes(text.encode())
    header, _, _ = GOOD[DETAILS].partition("\n")
    (folder / DETAILS).write_bytes(f"{header}\n".encode() + content)
    try:
        source = read_source(folder)
    except UnusableSource as refused:
        source = Source(name=str(refused), orders=[], bad=[])
    assert len(source.orders) <= 2
    for told in (source.name, *map(str, source.bad)):
        told.encode()


def test_a_path_that_is_not_there_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="does not exist"):
        read_source(tmp_path / "nothing")
