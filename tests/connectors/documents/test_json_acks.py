import contextlib
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents.json_ack_names import export_filename, why_not_read
from connectors.documents.json_acks import parse_ack
from connectors.documents.naming import sales_order_in
from connectors.exceptions import RejectedError
from connectors.ports import Ack, AckOutcome
from tests.trials.hostile import BLURRED, CONTENTS

EXPORT = "sales_order_0d9f3a52-1111-4222-8333-abcdefabcdef_20261123T100000Z_9a8d7c6b.json"


@pytest.mark.parametrize(
    ("name", "export"),
    [
        ("ack_sales_order_1.json", "sales_order_1.json"),
        ("error_sales_order_1.json", "sales_order_1.json"),
        ("ack_sales_order_1.json.json", "sales_order_1.json"),
        ("sales_order_1.json", None),
        ("ack_.json.tmp", None),
        ("ACK_sales_order_1.json", "sales_order_1.json"),
        ("Error_sales_order_1.JSON.JSON", "sales_order_1.json"),
        ("ack_sales_order_1 (1).json", "sales_order_1.json"),
        ("ack_sales_order_1(12).json", "sales_order_1.json"),
        ("ack_sales_order_1.json (2).json", "sales_order_1.json"),
        ("ack_sales_order_1 (1).0a1b2c3d.json", "sales_order_1.json"),
        ("ack_Order_A.json", "Order_A.json"),
        ("ack_Order_A.JSON", "Order_A.json"),
        (f"ACK_{EXPORT.upper()}", EXPORT),
        (f"ack_{EXPORT.lower()}", EXPORT),
        (f"ack_{EXPORT.upper()}.0a1b2c3d.JSON", f"{EXPORT}.0a1b2c3d.json"),
        ("ack-sales_order_1.json", None),
        ("ack_sales_order_1.ack", None),
        ("ack_sales_order_1 (1).ack", None),
        ("ack_sales_order_1 - Copy.json", None),
        ("sales_order_1_ack.json", None),
        (".ack_sales_order_1.json", None),
        ("ack_sales_order_1.json (1)", None),
        ("ac\u212a_sales_order_1.json", None),
        ("ack_../x.json", None),
        ("ack_x.json\n", None),
        ("ack_\udcff.json", None),
    ],
)
def test_an_answer_is_known_by_its_name(name: str, export: str | None) -> None:
    assert export_filename(name) == export


def test_an_acknowledgement_is_read_with_or_without_a_bom() -> None:
    """A9."""
    raw = b'{"status": "ACKED", "erp_order_id": "SO-1", "processed_at": "2026-11-23T10:01:00Z", "extra": [1]}'
    moment = datetime(2026, 11, 23, 10, 1, tzinfo=UTC)
    expected = Ack(outcome=AckOutcome.ACKED, erp_order_id="SO-1", processed_at=moment)
    assert parse_ack("ack_x.json", raw) == parse_ack("ack_x.json", b"\xef\xbb\xbf" + raw) == expected


def test_a_refusal_carries_the_erps_reason() -> None:
    raw = b'{"status": "FAILED", "error_code": "ERP_VALIDATION", "message": "Unknown customer 4711"}'
    expected = Ack(outcome=AckOutcome.FAILED, error_code="ERP_VALIDATION", message="Unknown customer 4711")
    assert parse_ack("error_x.json", raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"status": "ACK',
        b"[]",
        b"5",
        b"[" * 100_000,
        b'{"status": "ACKED", "status": "ACKED"}',
        b'{"status": "ACKED", "n": NaN, "status": "FAILED"}',
        b'{"status": "ACKED", "n": NaN, "\\u0073tatus": "ACKED"}',
        b'{"status": "ACKED", "Status": "FAILED"}',
        b'{"status": "ACKED", "Status": "FAILED", "Status": "ACKED"}',
        b'{"status": "ACKED", "STATUS": "FAILED", "STATUS": null}',
        b'{"status": "ACKED\0"}',
        b'{"status": "ACKED\\u0000"}',
        b'{"status": ACKED}',
        b'{status: "ACKED"}',
        b"{'status': 'ACKED'}",
        b'{"n": NaN, "lines": [{"status": "ACKED"}]}',
        b'{"status": "ACKED"}{"status": "FAILED"}',
        b'{"status": "ACKED"}, {"n": 1}',
        b'{"status": "ACKED", "message": "no "4711" here"}',
        b'{"status": "ACKED", "message": "C:\\"}',
        b'{"status": "ACKED" "n": 1}',
        b'{"status": "ACKED", "n": NaN, "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"status": "DONE"}',
        b'{"status": ""}',
        b'{"status": 1}',
        b'{"status": ["ACKED"]}',
        b'{"status": null}',
        b'{"erp_order_id": "SO-1"}',
        b'{"status": "FAILED"}',
        '{"status": "ACKED"}'.encode("utf-16"),
        '{"status": "FAILED", "message": "ä"}'.encode("latin-1"),
    ],
)
def test_anything_else_is_refused_with_a_reason(raw: bytes) -> None:
    """A2, A8, A9."""
    with pytest.raises(RejectedError) as caught:
        parse_ack("ack_x.json", raw)
    assert str(caught.value)


INVALID = "It is not valid JSON: "


@pytest.mark.parametrize(
    ("rest", "field", "kept", "note"),
    [
        (
            b'"message": "Gr\xf6\xdfe fehlt"',
            "message",
            "Gr\u00f6\u00dfe fehlt",
            "It is not UTF-8, and was read as Windows-12",
        ),
        (b'"message": "\x80 \x81"', "message", "\u20ac \ufffd", "It is not UTF-8, and was read as Windows-1252."),
        (b'"message": "a\nb"', "message", "a\nb", f"{INVALID}Invalid control character at: line 1"),
        (b'"message": "a\x1b\x02b"', "message", "a\x1b\x02b", f"{INVALID}Invalid control character at"),
        (
            b'"message": "a\0b"',
            "message",
            "a\ufffdb",
            "message holds characters that cannot be stored, and were replaced.",
        ),
        (b'"message": "\\u0000"', "message", "\ufffd", "message holds characters that cannot be stored"),
        (b'"message": ["\\ud800"]', "message", "\ufffd", "message holds characters that cannot be stored"),
        (
            b'"erp_order_id": "a\\ud800"',
            "erp_order_id",
            "a\ufffd",
            "erp_order_id holds characters that cannot be stored",
        ),
        (b'"error_code": "\\udc00E"', "error_code", "\ufffdE", "error_code holds characters that cannot be stored"),
        (b'"message": "C:\\dir\\err.log"', "message", "C:\\dir\\err.log", f"{INVALID}Invalid \\escape"),
        (b'"message": "\\u12"', "message", "\\u12", f"{INVALID}Invalid \\uXXXX escape"),
        (b'"erp_order_id": NaN', "erp_order_id", "NaN", f"{INVALID}NaN is not a JSON number."),
        (b'"n": -Infinity', "message", None, f"{INVALID}-Infinity is not a JSON number."),
        (b'"erp_order_id": 1e400', "erp_order_id", "1e400", f"{INVALID}1e400 is out of range."),
        (b'"erp_order_id": 004711', "erp_order_id", "004711", f"{INVALID}Expecting ',' delimiter"),
        (b'"erp_order_id": None', "erp_order_id", "None", f"{INVALID}Expecting value"),
        (b'"error_code": E-17', "error_code", "E-17", f"{INVALID}Expecting value"),
        (b'"message": "a", "message": "b"', "message", "b", f"{INVALID}the key 'message' stands twice in one object."),
        (b'"lines": [{"n": 1, "n": 2}]', "message", None, f"{INVALID}the key 'n' stands twice in one object."),
        (b'"lines": [{"status": 1, "status": 2}]', "message", None, f"{INVALID}the key 'status' stands twice"),
        (b'"message": "a, }",', "message", "a, }", f"{INVALID}Expecting property name enclosed in double quotes"),
        (b'"message": ["a", "b", ]', "message", "a; b", f"{INVALID}Expecting value"),
    ],
)
def test_a_fault_of_the_file_that_does_not_touch_the_status_is_noted(
    rest: bytes, field: str, kept: str | None, note: str
) -> None:
    """A9, A18: in front of the status and behind it."""
    for raw in (b'{"status": "FAILED", ' + rest + b"}", b"{" + rest.rstrip(b",") + b', "status": "FAILED",}'):
        ack = parse_ack("error_x.json", raw)
        assert (ack.outcome, getattr(ack, field)) == (AckOutcome.FAILED, kept)
        assert ack.notes
        with pytest.raises(RejectedError):
            parse_ack("ack_x.json", raw)
    assert note in parse_ack("error_x.json", b'{"status": "FAILED", ' + rest + b"}").notes


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "2026-11-23T10:01:00\\udc00"])
@pytest.mark.parametrize("shape", ['"%s"', '["%s"]', '{"%s": 1}'])
@pytest.mark.parametrize("key", ["erp_order_id", "error_code", "message", "processed_at"])
def test_half_a_surrogate_pair_in_a_field_that_decides_nothing_makes_no_ack_unreadable(
    key: str, shape: str, half: str
) -> None:
    ack = parse_ack("ack_x.json", b'{"status": "ACKED", "%s": %s}' % (key.encode(), (shape % half).encode()))
    assert (ack.outcome, key in ack.notes) == (AckOutcome.ACKED, True)
    "".join(filter(None, (ack.erp_order_id, ack.error_code, ack.message, ack.notes))).encode()


def test_what_a_program_pads_a_file_with_is_no_part_of_it() -> None:
    for padding in (b"\0" * 400, b"\x1a", b"\r\n\0"):
        ack = parse_ack("ack_x.json", b'{"status": "ACKED"}' + padding)
        assert (ack.outcome, ack.notes[:21]) == (AckOutcome.ACKED, "It is not valid JSON:")


FAULTY = b'{"status": "FAILED", "message": "\xe4\n\0\\x", "lines": [{"n": 007, "n": NaN,},], "x": "y",}'


def test_a_file_that_is_cut_off_is_never_read_whatever_its_faults_are() -> None:
    """A2."""
    assert parse_ack("error_x.json", FAULTY).outcome is AckOutcome.FAILED
    for length in range(len(FAULTY)):
        with pytest.raises(RejectedError):
            parse_ack("error_x.json", FAULTY[:length])


@given(st.binary(max_size=20), st.integers(0, len(FAULTY)))
def test_no_bytes_that_are_put_into_a_rejection_make_an_acceptance_of_it(added: bytes, place: int) -> None:
    with pytest.raises(RejectedError):
        parse_ack("ack_x.json", FAULTY[:place] + added + FAULTY[place:])


@pytest.mark.parametrize("kind", [*CONTENTS, *BLURRED])
def test_a_megabyte_of_faults_takes_no_time(kind: str) -> None:
    started = time.process_time()
    with contextlib.suppress(RejectedError):
        parse_ack("ack_x.json", {**CONTENTS, **BLURRED}[kind])
    assert time.process_time() - started < 5


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    raw = b'{"status": "ACKED", "erp_order_id": "\\\\u0000"}'
    assert parse_ack("ack_x.json", raw).erp_order_id == "\\u0000"


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fall_over(raw: bytes) -> None:
    with contextlib.suppress(RejectedError):
        parse_ack("ack_x.json", raw)


def test_an_order_id_of_zero_is_one() -> None:
    assert parse_ack("ack_x.json", b'{"status": "ACKED", "erp_order_id": 0}').erp_order_id == "0"


@pytest.mark.parametrize("status", ["acked", "Acked", " ACKED\n", "\u00a0ACKED\u00a0", "\ufeffACKED", "aCKED\u200b"])
def test_a_status_counts_in_any_case_and_with_space_around_it(status: str) -> None:
    assert parse_ack("ack_x.json", json.dumps({"status": status}).encode()).outcome is AckOutcome.ACKED


@pytest.mark.parametrize(
    ("field", "value", "kept", "note"),
    [
        ("erp_order_id", {"id": 7}, '{"id": 7}', "erp_order_id is an object, kept as text."),
        ("erp_order_id", "x" * 300, "x" * 120, "erp_order_id has 300 characters, cut to 120."),
        ("erp_order_id", 10**400, "1" + "0" * 119, "erp_order_id has 401 characters, cut to 120."),
        ("erp_order_id", True, "true", "erp_order_id is a boolean, kept as text."),
        ("erp_order_id", 0, "0", ""),
        ("error_code", ["E1", 2], '["E1", 2]', "error_code is a list, kept as text."),
        ("error_code", 4.5, "4.5", "error_code is a number, kept as text."),
        ("error_code", 10**30, "1" + "0" * 30, ""),
        ("message", ["Unknown SKU", "No price"], "Unknown SKU; No price", "message is a list, kept as text."),
        ("message", 4711, "4711", "message is a number, kept as text."),
        ("message", {"de": "Nein"}, '{"de": "Nein"}', "message is an object, kept as text."),
        ("processed_at", "yesterday", None, "processed_at is no date with a time: 'yesterday'."),
        ("processed_at", 1764580000, None, "processed_at is no date with a time: '1764580000'."),
        ("processed_at", [], None, "processed_at is no date with a time: '[]'."),
    ],
)
def test_a_field_that_decides_nothing_is_kept_as_text_with_a_note(
    field: str, value: object, kept: str | None, note: str
) -> None:
    """A18."""
    raw = json.dumps({"status": "FAILED", field: value}).encode()
    ack = parse_ack("error_x.json", raw)
    assert (ack.outcome, getattr(ack, field), ack.notes) == (AckOutcome.FAILED, kept, note)


def test_a_number_of_any_length_decides_nothing() -> None:
    """A18."""
    raw = b'{"status": "ACKED", "erp_order_id": 1' + b"0" * 400_000 + b', "n": -1' + b"0" * 5000 + b"}"
    ack = parse_ack("ack_x.json", raw)
    assert (ack.erp_order_id, ack.notes) == ("1" + "0" * 119, "erp_order_id has 400,001 characters, cut to 120.")


def test_a_value_that_is_quoted_in_a_note_is_short_and_printable() -> None:
    raw = json.dumps({"status": "ACKED", "processed_at": "\x1b[31m\n" + "a" * 5000}).encode()
    assert parse_ack("ack_x.json", raw).notes == f"processed_at is no date with a time: '[31m {'a' * 54}…'."


@pytest.mark.parametrize(
    "name",
    [
        f"ack_{EXPORT}.part",
        f"prefix {EXPORT.upper()} suffix",
        f"{EXPORT[:-5]}_ack.xml",
        EXPORT.replace("_", "-"),
        EXPORT.replace("_", " "),
    ],
)
def test_the_export_that_a_name_mentions_is_found_in_any_form(name: str) -> None:
    assert sales_order_in(name) == EXPORT


def test_no_export_is_found_in_other_names() -> None:
    assert [sales_order_in(name) for name in ("readme.txt", "sales_order_1.json", EXPORT[:-6], "\udcff")] == [None] * 4


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            f"ack_{EXPORT}.xml",
            f"ends in .xml, and that of an acknowledgement in .json. Have the ERP name it ack_{EXPORT},",
        ),
        (f"ack_{EXPORT[:-5]}", "has no extension, and that of an acknowledgement in .json. Have the ERP name it ack_"),
        (f"error-{EXPORT}", f"begins with neither ack_ nor error_. Have the ERP name it error_{EXPORT}, or"),
        (f"ack_{EXPORT[:-5]} - Copy.json", "has more in it than ack_ or error_ and the order file's name. Have"),
        (EXPORT, f"begins with neither ack_ nor error_. Have the ERP name it ack_{EXPORT} or error_{EXPORT}, or"),
    ],
)
def test_why_a_name_is_not_read_says_how_it_has_to_be(name: str, reason: str) -> None:
    assert reason in why_not_read(name, EXPORT)
    assert len(why_not_read(name, EXPORT)) <= 500
