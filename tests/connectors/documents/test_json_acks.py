import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents.json_acks import export_filename, parse_ack
from connectors.exceptions import RejectedError
from connectors.ports import Ack, AckOutcome


@pytest.mark.parametrize(
    ("name", "export"),
    [
        ("ack_sales_order_1.json", "sales_order_1.json"),
        ("error_sales_order_1.json", "sales_order_1.json"),
        ("ack_sales_order_1.json.json", "sales_order_1.json"),
        ("sales_order_1.json", None),
        ("ack_.json.tmp", None),
        ("ACK_sales_order_1.json", None),
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
        b"[" * 100_000,
        b'{"status": "ACKED", "n": NaN}',
        b'{"status": "ACKED", "n": 1e400}',
        b'{"status": "ACKED", "status": "ACKED"}',
        b'{"status": "ACKED", "erp_order_id": "\\u0000"}',
        b'{"status": "ACKED", "erp_order_id": "\\ud800"}',
        b'{"status": "DONE"}',
        b'{"status": "ACKED", "erp_order_id": {}}',
        b'{"status": "FAILED"}',
        '{"status": "ACKED"}'.encode("utf-16"),
        '{"status": "ACKED", "x": "ä"}'.encode("latin-1"),
        b'{"status": "ACKED", "n": ' + b"9" * 5000 + b"}",
        b'{"status": "ACKED", "erp_order_id": ' + b"9" * 300 + b"}",
    ],
)
def test_anything_else_is_refused_with_a_reason(raw: bytes) -> None:
    """A2, A8, A9."""
    with pytest.raises(RejectedError) as caught:
        parse_ack("ack_x.json", raw)
    assert str(caught.value)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    raw = b'{"status": "ACKED", "erp_order_id": "\\\\u0000"}'
    assert parse_ack("ack_x.json", raw).erp_order_id == "\\u0000"


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fall_over(raw: bytes) -> None:
    with contextlib.suppress(RejectedError):
        parse_ack("ack_x.json", raw)


def test_an_order_id_of_zero_is_one() -> None:
    assert parse_ack("ack_x.json", b'{"status": "ACKED", "erp_order_id": 0}').erp_order_id == "0"
