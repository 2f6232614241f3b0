from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.fields.number_fields import DecimalNumberField, WholeNumberField
from orderflow.fields.number_parsing import NotANumber, as_written, fitted, read_decimal, read_strict, read_whole

READ = {
    "0": "0", "40": "40", "007": "7", "3,5": "3.5", "3.5": "3.5", "18,90": "18.9", "18.90": "18.9", "-5": "-5",
    "-18,90": "-18.9", "+2": "2", ",5": "0.5", ".5": "0.5", "0,125": "0.125", "0.125": "0.125", "1.2340": "1.234",
    "1,2340": "1.234", "1234.567": "1234.567", "1234,567": "1234.567", "1.234,50": "1234.5", "1,234.50": "1234.5",
    "1.234.567": "1234567", "1,234,567": "1234567", "1.234.567,89": "1234567.89", "1,234.567": "1234.567",
    "1 234": "1234", "1 234,50": "1234.5", "1 234.567": "1234.567", "1\u00a0234,50": "1234.5",
    "1\u202f234,50": "1234.5", "1'234.50": "1234.5", "1\u2019234.50": "1234.5", "12'345'678": "12345678",
    " 18,90 ": "18.9", "\u00a018,90\ufeff": "18.9", "18.9000000": "18.9", "100.0000": "100",
}  # fmt: skip
FORM = "Write it as 1234.50 or 1234,50."
REJECTED = {
    "1.234": "'1.234' is ambiguous. Write 1234 or 1.2340.",
    "1,234": "'1,234' is ambiguous. Write 1234 or 1,2340.",
    "-40.000": "'-40.000' is ambiguous. Write -40000 or -40.0000.",
    "": "'' is no number: it is empty.",
    "ten": f"'ten' is not a number. {FORM}",
    "NaN": f"'NaN' is not a number. {FORM}",
    "Infinity": f"'Infinity' is not a number. {FORM}",
    "1_000": f"'1_000' is not a number. {FORM}",
    "0x10": f"'0x10' is not a number. {FORM}",
    "5.": f"'5.' is not a number. {FORM}",
    "-": f"'-' is not a number. {FORM}",
    "--5": f"'--5' is not a number. {FORM}",
    "1.23,4": f"'1.23,4' is not a number. {FORM}",
    "1,23,456": f"'1,23,456' is not a number. {FORM}",
    "1234.567,8": f"'1234.567,8' is not a number. {FORM}",
    "1.234.56": f"'1.234.56' is not a number. {FORM}",
    "1 2": f"'1 2' is not a number. {FORM}",
    "1 234 56": f"'1 234 56' is not a number. {FORM}",
    "1e3": "'1e3' has an exponent. Write all its digits.",
    "1.5E+2": "'1.5E+2' has an exponent. Write all its digits.",
    "5-": "'5-' has its minus sign at the end. Write -5.",
    "18,90-": "'18,90-' has its minus sign at the end. Write -18,90.",
    "18,90 \u20ac": "'18,90 \u20ac' has a currency sign. Write the number alone, such as 18.90.",
    "$5": "'$5' has a currency sign. Write the number alone, such as 18.90.",
    "\uff11\uff12": "'\uff11\uff12' has digits other than 0 to 9.",
    "\u0661\u0662": "'\u0661\u0662' has digits other than 0 to 9.",
    "9.8000000000000007": "9.8000000000000007 has too many decimals: at most 4. Round it.",
    "0.00001": "0.00001 has too many decimals: at most 4. Round it.",
    "100000000000": "100000000000 is too large: at most 11 digits before the decimal point.",
    "9" * 60: f"{'9' * 40} is too large: at most 11 digits before the decimal point.",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_a_number_with_one_reading_is_read(text: str, value: str) -> None:
    assert read_decimal(text, places=4) == Decimal(value)


@pytest.mark.parametrize(("text", "message"), REJECTED.items())
def test_anything_else_is_rejected_with_the_way_to_write_it(text: str, message: str) -> None:
    with pytest.raises(NotANumber) as rejected:
        read_decimal(text, places=4)
    assert str(rejected.value) == message


@given(st.decimals(min_value=-(10**11) + 1, max_value=10**11 - 1, places=4))
def test_what_is_shown_reads_as_what_is_stored(value: Decimal) -> None:
    assert read_decimal(as_written(value), places=4) == value


@given(st.decimals(min_value=-(10**12) + 1, max_value=10**12 - 1, places=3))
def test_a_shown_quantity_reads_as_the_stored_one_with_a_comma_too(value: Decimal) -> None:
    assert read_decimal(as_written(value).replace(".", ","), places=3) == value


@given(st.text(alphabet="0123456789.,' -+e\u00a0", max_size=12))
def test_no_text_has_a_reading_of_which_another_writer_would_think_otherwise(text: str) -> None:
    """Where thousands and decimals change places and the text is still read, it is the same number."""
    readings = set()
    for point, comma in ((".", ","), (",", ".")):
        plain = text.strip(" \u00a0").replace("\u00a0", "").replace(" ", "").replace("'", "").replace(comma, "")
        with suppress(ArithmeticError):
            readings.add(Decimal(plain.replace(point, ".")))
    try:
        value = read_decimal(text, places=3)
    except NotANumber:
        return
    assert value in readings


@pytest.mark.parametrize(
    ("value", "shown"),
    [("40.000", "40"), ("7.3000", "7.3"), ("0.000", "0"), ("1.125", "1.1250"), ("0.125", "0.125"), ("1E+3", "1000"),
     ("-12.345", "-12.3450"), ("1234.567", "1234.567")],
)  # fmt: skip
def test_a_stored_value_is_shown_without_needless_zeros_and_never_ambiguous(value: str, shown: str) -> None:
    assert as_written(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("text", "value"), [("22", 22), ("1 000", 1000), ("22.0", 22), ("-1", -1), ("1.000.000", 10**6)]
)
def test_a_whole_number_is_read(text: str, value: int) -> None:
    assert read_whole(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2,5", "'2,5' is not a whole number."),
        ("1.234", "'1.234' is not clearly a whole number. Write 1234 without a separator."),
        ("1_0", f"'1_0' is not a number. {FORM}"),
        ("\uff12\uff12", "'\uff12\uff12' has digits other than 0 to 9."),
    ],
)
def test_what_is_no_whole_number_is_rejected(text: str, message: str) -> None:
    with pytest.raises(NotANumber) as rejected:
        read_whole(text)
    assert str(rejected.value) == message


@pytest.mark.parametrize("text", ["18,90", "1e3", " 5", "5 ", "1_000", "\uff11", "+5", ".5", "5.", "NaN", "", "1 234"])
def test_a_number_in_a_json_string_is_strict(text: str) -> None:
    with pytest.raises(NotANumber, match=r"Write it with digits and a decimal point, such as 18\.90\.$"):
        read_strict(text)
    assert read_strict("-18.90") == Decimal("-18.9")


@pytest.mark.parametrize("value", ["1E+999999", "1E-999999", "0.30000000000000004"])
def test_no_exponent_is_computed_before_it_is_rejected(value: str) -> None:
    with pytest.raises(NotANumber):
        fitted(Decimal(value), places=4)


def test_an_entry_is_shown_as_it_was_typed() -> None:
    field = DecimalNumberField(max_digits=15, decimal_places=3)
    assert field.prepare_value(" 1.234") == " 1.234"
    assert field.prepare_value(Decimal("40.000")) == "40"
    assert not field.has_changed(Decimal("40.000"), "40")
    assert field.has_changed(Decimal("40.000"), "40,5")
    assert WholeNumberField().prepare_value("2,5") == "2,5"
