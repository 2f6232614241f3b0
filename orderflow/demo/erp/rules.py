"""What the stand-in ERP makes of an order. The same document always gets the same answer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

BLOCKED_CUSTOMERS = frozenset({"RATTC"})
MOST_PER_LINE = 70
# Somebody looks at an order above this value before it is accepted.
RELEASE_ABOVE = Decimal(2500)
RELEASE_TAKES_S = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """An accepted order has no `error_code`. The answer comes `after_s` seconds after the order."""

    error_code: str = ""
    message: str = ""
    after_s: float = 0


def decide(document: bytes) -> Decision:
    try:
        order = json.loads(document, parse_float=Decimal)
        objection = next(_objections(order), None)
        value = _value(order)
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        return Decision(error_code="ERP_FORMAT", message=f"This is no sales order: {error!r}")
    if objection:
        return Decision(error_code="ERP_VALIDATION", message=objection)
    return Decision(after_s=RELEASE_TAKES_S if value > RELEASE_ABOVE else 0)


def _objections(order: dict[str, Any]) -> Iterator[str]:
    customer = order["customer"]["erp_customer_number"]
    if customer in BLOCKED_CUSTOMERS:
        yield f"Customer {customer} is blocked: an invoice is overdue"
    if not order["lines"]:
        yield "The order has no lines"
    for line in order["lines"]:
        if line["qty"] > MOST_PER_LINE:
            yield f"Line {line['line_no']}: {line['qty']} of an item, and {MOST_PER_LINE} is the most"


def _value(order: dict[str, Any]) -> Decimal:
    return sum((Decimal(line["qty"]) * Decimal(line["unit_price"]) for line in order["lines"]), Decimal(0))
