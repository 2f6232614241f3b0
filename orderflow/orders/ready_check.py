"""What keeps an order from being approved, and what is worth a look before it is."""

from dataclasses import dataclass
from datetime import date

from orderflow.orders.models import DraftOrder, DraftOrderLine
from orderflow.orders.units import UNITS

# What lies outside stands for an empty date: 0001-01-01 of .NET, 1900-01-01 of SQL Server, 9999-12-31 of SAP.
FIRST_DAY, LAST_DAY = date(1900, 1, 2), date(2999, 12, 31)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockingReason:
    """`field` is a path into the order, such as `customer` or `lines/2/qty` (counted from 0)."""

    field: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """Unusual, but allowed. `field` as in `BlockingReason`."""

    field: str
    message: str


def blocking_reasons(order: DraftOrder) -> list[BlockingReason]:
    """Empty when the order is ready. Reads the order's lines: prefetch them for many orders."""
    lines = list(order.lines.all())
    reasons = [*_header(order)]
    if not lines:
        reasons.append(BlockingReason(field="lines", message="The order has no lines. Add at least one."))
    for index, line in enumerate(lines):
        reasons += [
            BlockingReason(field=f"lines/{index}/{field}", message=f"Line {line.line_no}: {message}")
            for field, message in _line(line)
        ]
    return reasons


def remarks(order: DraftOrder) -> list[Remark]:
    """Reads the order's lines, as `blocking_reasons` does."""
    return [
        Remark(field=f"lines/{index}/unit_price", message=f"Line {line.line_no}: the unit price is 0.")
        for index, line in enumerate(order.lines.all())
        if line.unit_price == 0
    ]


def _header(order: DraftOrder) -> list[BlockingReason]:
    reasons = []
    if order.customer_id is None:
        reasons.append(BlockingReason(field="customer", message="The customer is not set."))
    if not order.currency:
        reasons.append(BlockingReason(field="currency", message="The currency is not set."))
    for field in ("order_date", "requested_delivery_date"):
        day = getattr(order, field)
        if day and not FIRST_DAY <= day <= LAST_DAY:
            text = f"The {field.replace('_', ' ')} is {day}, which programs write for no date. Correct or remove it."
            reasons.append(BlockingReason(field=field, message=text))
    return reasons


def _line(line: DraftOrderLine) -> list[tuple[str, str]]:
    reasons = []
    if not line.internal_sku:
        reasons.append(("internal_sku", "the SKU is missing."))
    if not line.uom:
        reasons.append(("uom", "the unit is missing."))
    elif line.uom not in UNITS:
        reasons.append(("uom", f"the unit {line.uom!r} is unknown. Known units: {', '.join(sorted(UNITS))}."))
    if line.qty <= 0:
        reasons.append(("qty", f"the quantity is {line.qty.normalize():f}; it must be above 0."))
    if line.unit_price < 0:
        # Credits and returns are other documents than orders, in every ERP.
        price = f"{line.unit_price.normalize():f}"
        reasons.append(("unit_price", f"the unit price is {price}; it must not be negative. Correct it."))
    return reasons
