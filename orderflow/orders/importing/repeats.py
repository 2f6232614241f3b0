"""What an import does with orders that are stored already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orderflow.orders import editing
from orderflow.orders.importing.differences import HEADER, LINE, SOURCE, Difference, DifferingOrder, differences
from orderflow.orders.models import DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus

# An approved order is what somebody looked at: changing it is left to people.
UPDATABLE = frozenset({OrderStatus.NEEDS_REVIEW, OrderStatus.READY, OrderStatus.ERROR})
NOT_ASKED = "Nothing was changed. To take over what the file has, import it with --update."


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """An order as a file has it, in rows that are not saved. `has_source`: the file names the source document."""

    order: DraftOrder
    lines: Sequence[DraftOrderLine]
    has_source: bool

    @property
    def identity(self) -> tuple[UUID | None, str]:
        return self.order.customer_id, self.order.external_order_number


def meet_stored(given: Sequence[Given], actor: str, *, update: bool) -> list[DifferingOrder]:
    """Those of `given` that are stored otherwise; with `update`, what may be changed is as given afterwards."""
    if not given:
        return []
    stored = _stored(given, lock=update)
    return [
        _met(stored[each.identity], each, found, actor, update=update)
        for each in given
        if (found := differences(stored[each.identity], each.order, each.lines, with_source=each.has_source))
    ]


def _stored(given: Sequence[Given], *, lock: bool) -> Mapping[tuple[UUID | None, str], DraftOrder]:
    customers, numbers = zip(*(each.identity for each in given), strict=True)
    rows = DraftOrder.objects.filter(customer__in=set(customers), external_order_number__in=set(numbers))
    if lock:
        rows = rows.select_for_update(of=("self",)).order_by("pk")
    # A rejected one counts only where it is the last of its number.
    found = sorted(rows.prefetch_related("lines"), key=lambda row: row.status != OrderStatus.REJECTED)
    return {(row.customer_id, row.external_order_number): row for row in found}


def _met(
    stored: DraftOrder, given: Given, found: tuple[Difference, ...], actor: str, *, update: bool
) -> DifferingOrder:
    kept_because = "" if update else NOT_ASKED
    if stored.status not in UPDATABLE:
        kept_because = f"It stays as it is, because it is {stored.status}."
    elif update:
        editing.edit(stored, _values(given), actor=actor)
    customer = stored.customer.erp_customer_number if stored.customer else ""
    return DifferingOrder(
        number=stored.external_order_number, customer=customer, differences=found, kept_because=kept_because
    )


def _values(given: Given) -> dict[str, Any]:
    """As `editing.edit` takes them."""
    names = (*HEADER, *SOURCE) if given.has_source else HEADER
    lines = [{name: getattr(line, name) for name in ("line_no", *LINE)} for line in given.lines]
    return {**{name: getattr(given.order, name) for name in names}, "lines": lines}
