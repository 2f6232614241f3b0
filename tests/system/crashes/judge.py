"""Whether a case ended as the table says: by files, rows and bytes, and by all that the ERP ever saw."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.failpoints import Failpoint
from tests.support.temporary_names import unmarked
from tests.system.crashes import erp
from tests.system.crashes.evidence import Evidence, left
from tests.system.crashes.scene import AnswerSeen, Case, OrderSeen, Seen
from tests.system.crashes.table import ERP, Job, Left

# Of three orders, the one that cannot be rendered where the job is about that.
NOT_RENDERED = 0


@dataclass(frozen=True, kw_only=True)
class End:
    """What must have become of an order."""

    export: str
    order: str
    events: Counter[str]
    arrived: int


def wrongs(case: Case, evidence: Evidence) -> Iterator[str]:
    """In words; nothing when all is well."""
    found = left(case, evidence)
    for number, (expected, actual) in enumerate(zip(case.row.left, found, strict=True)):
        if actual is None or actual not in expected:
            yield f"order {number + 1}: the death left {actual}, not {expected}"
        order = evidence.after.orders[number]
        for wrong in [*_order(case, number, order, actual, evidence), *_file(order, actual, evidence)]:
            yield f"order {number + 1}: {wrong}"
    if left_over := sorted(evidence.orders_after - _unjournaled(evidence)):
        yield f"left at the dropzone: {left_over}"
    copies = sum(order.copy is not None for order in evidence.after.orders)
    if evidence.copies != copies:
        yield f"{evidence.copies} files in the storage for {copies} copies"
    if case.row.job == Job.POLL:
        # What had been moved before the ERP answered once more lies there twice.
        again = found.count(Left.MOVED) if case.erp == ERP.REPEATING else 0
        yield from answers_wrong(evidence.after, evidence.answers_after, again)


def _end(case: Case, number: int, found: Left | None) -> End:
    if case.row.job == Job.DRAIN_ONE_REFUSED and number == NOT_RENDERED:
        return End(export="FAILED", order="ERROR", events=Counter(REQUESTED=1, FAILED=1), arrived=0)
    events = Counter(REQUESTED=1, STAGED=1, SENT=1)
    if case.row.job == Job.DRAIN_IN_PLACE:
        del events["STAGED"]
    elif found == Left.JOURNALED or (case.row.after == Failpoint.JOURNALED and found != Left.WAITING):
        # By the dead, and by the next one, which may publish only what it has journaled itself.
        events["STAGED"] = 2
    if case.row.job == Job.POLL:
        if number == erp.REFUSED:
            return End(export="FAILED", order="ERROR", events=events + Counter(FAILED=1), arrived=0)
        return End(export="ACKED", order="PUSHED", events=events + Counter(ACKED=1), arrived=0)
    if case.erp != ERP.ANSWERING:
        return End(export="SENT", order="PUSHED", events=events, arrived=1)
    if found == Left.PUBLISHED:
        # The answer overtook what the dead process would have written down.
        del events["SENT"]
    return End(export="ACKED", order="PUSHED", events=events + Counter(ACKED=1), arrived=1)


def _order(case: Case, number: int, order: OrderSeen, found: Left | None, evidence: Evidence) -> Iterator[str]:
    end = _end(case, number, found)
    if (order.export, order.status) != (end.export, end.order):
        yield f"export {order.export}, order {order.status} instead of {end.export}, {end.order}"
    if order.events != end.events:
        yield f"events {dict(order.events)} instead of {dict(end.events)}"
    if (order.exports, order.pushes) != (1, 1):
        yield f"{order.exports} exports by {order.pushes} pushes"
    if evidence.arrived[order.filename] != end.arrived:
        yield f"the ERP saw it {evidence.arrived[order.filename]} times instead of {end.arrived}"
    if order.copy is None and number != NOT_RENDERED:
        yield "no copy is kept"
    if order.copy is not None and hashlib.sha256(order.copy).hexdigest() != order.sha256:
        yield "the copy has other bytes than the journal"


def _unjournaled(evidence: Evidence) -> set[str]:
    """Temporaries of the dead, which no journal names: the clean-up removes them a day after their export's end."""
    journaled = {order.staged for order in evidence.after.orders}
    return {name for name in evidence.orders_after if name.endswith(".tmp") and name not in journaled}


def _file(order: OrderSeen, found: Left | None, evidence: Evidence) -> Iterator[str]:
    """That what was complete has not been uploaded again, and what was not complete has."""
    arrival = evidence.arrivals.get(order.filename)
    if arrival is None:
        return
    if arrival.content != order.copy:
        yield "the ERP got other bytes than the copy has"
    files = evidence.orders_before
    temporaries = dict(zip(unmarked(files), files.values(), strict=True))
    temporaries |= {f"{order.filename}.tmp": files[order.staged]} if order.staged in files else {}
    written_ns = files.get(order.filename, temporaries.get(f"{order.filename}.tmp"))
    is_as_it_was = arrival.written_ns == written_ns
    if found in {Left.JOURNALED, Left.PUBLISHED, Left.SENT} and not is_as_it_was:
        yield "it was uploaded again"
    if found in {Left.WRITTEN, Left.IN_PLACE} and is_as_it_was:
        yield "it was not uploaded anew"


def answers_wrong(after: Seen, folders: Mapping[str, frozenset[str]], again: int) -> Iterator[str]:
    """`again` of the answers have been moved twice."""
    filenames = [order.filename for order in after.orders]
    answers = [erp.answer_to(name, number) for number, name in enumerate(filenames)]
    half = erp.half_of(filenames[0])
    rows = {AnswerSeen(name=name, verdict="MATCHED") for name in answers} | {
        AnswerSeen(name=erp.ORPHAN, verdict="ORPHAN"),
        AnswerSeen(name=half, verdict="MALFORMED"),
    }
    if sorted(map(str, after.answers)) != sorted(map(str, rows)):
        yield f"the ledger has {after.answers}"
    if folders["acks"] != {erp.ORPHAN} or folders["error"] != {half}:
        yield f"answers lie in {dict(folders)}"
    if not folders["processed"] >= set(answers) or len(folders["processed"]) != len(answers) + again:
        yield f"processed are {sorted(folders['processed'])}, and {again} again"
