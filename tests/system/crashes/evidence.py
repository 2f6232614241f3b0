"""What is known of a case when it is over, and what its death left."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.temporary_names import unmarked
from tests.system.crashes.erp import Arrival, answer_to
from tests.system.crashes.scene import Case, OrderSeen, Seen
from tests.system.crashes.table import Job, Left


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`orders_before` are the files with orders that lay there after the death, or had been taken by then, with the
    time when they were last written to. `arrived` counts what the ERP ever took. Answers are by folder."""

    before: Seen
    after: Seen
    orders_before: Mapping[str, int]
    orders_after: frozenset[str]
    answers_before: frozenset[str]
    answers_after: Mapping[str, frozenset[str]]
    arrived: Counter[str]
    arrivals: Mapping[str, Arrival]
    copies: int


def left(case: Case, evidence: Evidence) -> list[Left | None]:
    """Order by order; None is a state that no death may leave."""
    if case.row.job == Job.POLL:
        return [_left_of_answer(number, order, evidence) for number, order in enumerate(evidence.before.orders)]
    return [_left_of_order(case, order, evidence.orders_before) for order in evidence.before.orders]


def _left_of_order(case: Case, order: OrderSeen, files: Mapping[str, int]) -> Left | None:
    if not order.exports:
        return Left.NOT_PUSHED
    if order.export in {"SENT", "ACKED"}:
        return Left.SENT
    published, staged = order.filename in files, f"{order.filename}.tmp" in unmarked(files)
    if case.row.job == Job.DRAIN_IN_PLACE:
        return Left.IN_PLACE if published else Left.WAITING
    if order.journaled:
        return Left.PUBLISHED if published else Left.JOURNALED if staged else None
    return None if published else Left.WRITTEN if staged else Left.WAITING


def _left_of_answer(number: int, order: OrderSeen, evidence: Evidence) -> Left | None:
    name = answer_to(order.filename, number)
    is_known = any(row.name == name for row in evidence.before.answers)
    if name in evidence.answers_before:
        return Left.ENTERED if is_known else Left.UNREAD
    return Left.MOVED if is_known else None
