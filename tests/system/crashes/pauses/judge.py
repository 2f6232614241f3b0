"""Whether a pause did harm: by the files that the ERP ever took, the database's rows and the stored copies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tests.system.crashes import erp
from tests.system.crashes.judge import NOT_RENDERED, answers_wrong
from tests.system.crashes.pauses.cases import Edit, PauseCase
from tests.system.crashes.scene import AnswerSeen, OrderSeen, Seen
from tests.system.crashes.table import ERP, Job


@dataclass(frozen=True, kw_only=True)
class PauseEvidence:
    """`appearances` are all the orders that the ERP took, by name and content; `left` the names that remain."""

    after: Seen
    appearances: Sequence[tuple[str, bytes]]
    left: frozenset[str]
    answers: Mapping[str, frozenset[str]]


def wrongs(case: PauseCase, evidence: PauseEvidence) -> Iterator[str]:
    """In words; nothing when all is well."""
    for number, order in enumerate(evidence.after.orders):
        contents = [content for name, content in evidence.appearances if name == order.filename]
        for wrong in [*_order(case, number, order, contents), *_kept(order)]:
            yield f"order {number + 1}: {wrong}"
    strange = {name for name, _ in evidence.appearances} - {order.filename for order in evidence.after.orders}
    if strange:
        yield f"the ERP took {sorted(strange)}"
    # A temporary file of a worker that lost its lane is nobody's but the daily cleanup's.
    if finals := [name for name in evidence.left if not name.endswith(".tmp")]:
        yield f"left at the dropzone: {sorted(finals)}"
    if case.case.row.job == Job.POLL:
        yield from _answers(case, evidence)


def _order(case: PauseCase, number: int, order: OrderSeen, contents: Sequence[bytes]) -> Iterator[str]:
    job = case.case.row.job
    if job == Job.POLL:
        return _answered(number, order)
    if job == Job.DRAIN_ONE_REFUSED and number == NOT_RENDERED:
        return _refused(order, contents)
    if job == Job.DRAIN_IN_PLACE:
        # No witness, no promise of once.
        return _delivered(order, contents[-1:])
    if case.edit == Edit.PLACE and order.export != "SENT":
        return _left_behind(order, contents)
    return _delivered(order, contents)


def _delivered(order: OrderSeen, contents: Sequence[bytes]) -> Iterator[str]:
    if len(contents) != 1:
        yield f"the ERP saw it {len(contents)} times, and it is {order.export}"
    if any(sha256(content).hexdigest() != order.sha256 for content in contents):
        yield f"the ERP got other bytes than were recorded: {[len(content) for content in contents]} of them"
    if (order.export, order.status) != ("SENT", "PUSHED"):
        yield f"export {order.export}, order {order.status}: {order.error}"
    if order.events.get("SENT") != 1:
        yield f"events {dict(order.events)}"


def _left_behind(order: OrderSeen, contents: Sequence[bytes]) -> Iterator[str]:
    """It may have been published at the place that the connection left: a person decides."""
    if len(contents) > 1:
        yield f"the ERP saw it {len(contents)} times"
    if "left it at" not in order.error or not order.journaled:
        yield f"in doubt for no good reason: {order.error}"
    if any(sha256(content).hexdigest() != order.sha256 for content in contents):
        yield "the ERP got other bytes than were recorded"


def _refused(order: OrderSeen, contents: Sequence[bytes]) -> Iterator[str]:
    if (order.export, order.status, len(contents)) != ("FAILED", "ERROR", 0):
        yield f"export {order.export}, order {order.status}, {len(contents)} times at the ERP"


def _answered(number: int, order: OrderSeen) -> Iterator[str]:
    expected = ("FAILED", "ERROR") if number == erp.REFUSED else ("ACKED", "PUSHED")
    if (order.export, order.status) != expected:
        yield f"export {order.export}, order {order.status} instead of {expected}"
    if order.events.get(expected[0]) != 1:
        yield f"events {dict(order.events)}"


def _kept(order: OrderSeen) -> Iterator[str]:
    if (order.exports, order.pushes) != (1, 1):
        yield f"{order.exports} exports by {order.pushes} pushes"
    if order.copy is not None and sha256(order.copy).hexdigest() != order.sha256:
        yield "the copy has other bytes than were recorded"
    if order.copy is None and order.export != "FAILED":
        yield "no copy is kept"


def _answers(case: PauseCase, evidence: PauseEvidence) -> Iterator[str]:
    if case.case.erp != ERP.REPEATING:
        yield from answers_wrong(evidence.after, evidence.answers, 0)
        return
    name = erp.answer_to(evidence.after.orders[0].filename, 0)
    rows = [row for row in evidence.after.answers if row.name == name]
    first = AnswerSeen(name=name, verdict="MATCHED")
    if len(rows) != 2 or first not in rows:
        yield f"of an answer and a later one under its name, the ledger has {rows}"
