"""Numbers in JSON bodies: strict, exact, and rejected with the way out."""

import json
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from orderflow.orders.models import DraftOrderLine

ORDERS = "/api/v1/draft-orders/"


def created(api: APIClient, price: str, name: str = "unit_price") -> tuple[int, str]:
    """What the API answers to a line with `price` just as it is written in the body, and the message for it."""
    line = {"internal_sku": "2", "uom": "ST", "qty": 1, name: "IT"}
    body = json.dumps({"currency": "EUR", "lines": [line]}).replace('"IT"', price)
    answer = api.post(ORDERS, body, content_type="application/json")
    errors = answer.json().get("errors", [])
    assert all(error["pointer"] == f"/lines/0/{name}" for error in errors)
    return answer.status_code, " ".join(error["message"] for error in errors)


@pytest.mark.parametrize(
    ("written", "value"),
    [("18.90", "18.9"), ('"18.90"', "18.9"), ("1.234", "1.234"), ('"1.234"', "1.234"), ("1e3", "1000"), ("-5", "-5"),
     ("18.9000000", "18.9"), ('"18.9000000"', "18.9"), ("0.1", "0.1")],
)  # fmt: skip
def test_a_number_keeps_its_exact_value(api: APIClient, written: str, value: str) -> None:
    assert created(api, written) == (201, "")
    assert DraftOrderLine.objects.get().unit_price == Decimal(value)


HINT = "Write it with digits and a decimal point, such as 18.90."
REJECTED = {
    '"18,90"': f"'18,90' is not a number. {HINT}",
    '"1.234,50"': f"'1.234,50' is not a number. {HINT}",
    '"1e3"': f"'1e3' is not a number. {HINT}",
    '"1_000"': f"'1_000' is not a number. {HINT}",
    '" 5"': f"' 5' is not a number. {HINT}",
    '"\uff11"': f"'\uff11' is not a number. {HINT}",
    '"NaN"': f"'NaN' is not a number. {HINT}",
    "0.30000000000000004": "0.30000000000000004 has too many digits. Round it to 4 decimals, or send it as a string.",
    "9.8000000000000007": "9.8000000000000007 has too many digits. Round it to 4 decimals, or send it as a string.",
    '"0.00001"': "0.00001 has too many decimals: at most 4. Round it.",
    "100000000000": "100000000000 is too large: at most 11 digits before the decimal point.",
    "1e999999": "1E+999999 is too large: at most 11 digits before the decimal point.",
    "true": "A valid number is required.",
    "[]": "A valid number is required.",
}


@pytest.mark.parametrize(("written", "message"), REJECTED.items())
def test_another_notation_is_rejected(api: APIClient, written: str, message: str) -> None:
    assert created(api, written) == (422, message)
    assert not DraftOrderLine.objects.exists()


@pytest.mark.parametrize("written", ['"1_0"', '"\uff11"', '" 1"', "1.5"])
def test_a_line_number_is_digits(api: APIClient, written: str) -> None:
    assert created(api, written, "line_no") == (422, "A valid integer is required.")


def test_a_negative_price_blocks_and_a_price_of_0_is_remarked(api: APIClient) -> None:
    lines = [{"internal_sku": "2", "qty": 1, "uom": "ST", "unit_price": price} for price in (0, -5)]
    body = {"currency": "EUR", "lines": lines, "customer": {"erp_customer_number": "C1", "name": "X"}}
    order = api.post(ORDERS, body, format="json").json()
    assert (order["status"], order["blocking_reasons"]) == (
        "NEEDS_REVIEW",
        [
            {
                "pointer": "/lines/1/unit_price",
                "message": "Line 2: the unit price is -5; it must not be negative. Correct it.",
            }
        ],
    )
    assert order["remarks"] == [{"pointer": "/lines/0/unit_price", "message": "Line 1: the unit price is 0."}]
    answer = api.post(f"{ORDERS}{order['id']}/approve/")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    lines[1]["unit_price"] = 5
    assert api.patch(f"{ORDERS}{order['id']}/", {"lines": lines}, format="json").json()["status"] == "READY"
    assert api.post(f"{ORDERS}{order['id']}/approve/").json()["status"] == "APPROVED"
