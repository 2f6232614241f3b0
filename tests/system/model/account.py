"""What must be: the rows as they are seen after each step, held against what the ERP saw and what people asked for."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from exports.delivery.retry_policy import WAITS
from exports.models import AckFile, Verdict
from exports.models.status import LIVE, ExportStatus
from orderflow.orders.status import OrderStatus
from tests.system.model.actors.erp import ERP, Answer

E, O = ExportStatus, OrderStatus  # noqa: E741 - read side by side
REOPENED = frozenset({O.ERROR, O.READY, O.APPROVED})
# What an order may be while its newest export is this.
PAIRS = {E.PENDING: {O.PUSHING}, E.SENT: {O.PUSHED}, E.ACKED: {O.PUSHED}, E.FAILED: REOPENED}
# Asked after every step; the ORM would take as long to ask as to deliver.
EXPORTS = """
SELECT export.id, draft_order_id, draft.status, draft.erp_order_id, supersedes_id, export.status, filename, staged_path,
       document_sha256, export.erp_order_id, sent_at IS NOT NULL, tries, export.error_message,
       undecided_since IS NOT NULL
FROM exports_erpexport AS export JOIN orders_draftorder AS draft ON draft.id = draft_order_id
ORDER BY export.created_at
"""


@dataclass(frozen=True, slots=True)
class Export:
    id: str | UUID
    order: str | UUID
    order_status: str
    order_erp_id: str
    supersedes: str | UUID | None
    status: str
    filename: str
    staged_path: str
    sha256: str
    erp_order_id: str
    is_sent: bool
    tries: int
    error_message: str
    is_undecided: bool

    @property
    def fate(self) -> tuple[str, str, str] | None:
        """What never changes again."""
        return None if self.status in LIVE else (self.status, self.erp_order_id, self.error_message)


@dataclass(frozen=True, slots=True)
class State:
    exports: Mapping[str, Export]
    superseded: frozenset[str | UUID]
    arrived: frozenset[str]

    @classmethod
    def seen(cls, erp: ERP) -> "State":
        erp.look()
        with connection.cursor() as cursor:
            cursor.execute(EXPORTS)
            exports = {row[6]: Export(*row) for row in cursor.fetchall()}
        superseded = frozenset(e.supersedes for e in exports.values() if e.supersedes)
        return cls(exports=exports, superseded=superseded, arrived=frozenset(erp.arrivals))


NOTHING = State(exports={}, superseded=frozenset(), arrived=frozenset())


@dataclass(kw_only=True)
class Account:
    erp: ERP
    before: State = NOTHING
    given_up: set[str] = field(default_factory=set)
    # In doubt, and a person found that the ERP does not have it.
    found_missing: set[str] = field(default_factory=set)
    # Why an export may be in doubt: what was staged cannot be followed, or no longer is what would be sent.
    may_be_undecided: bool = False
    amended: set[UUID] = field(default_factory=set)
    is_renamed: bool = False
    # What may have arrived after this step at the most; None: anything.
    may_have_arrived: frozenset[str] | None = None
    _ledgered: set[tuple[str, str]] = field(default_factory=set)
    _accounted: set[Answer] = field(default_factory=set)

    def illegal(self) -> list[str]:
        """What is wrong after a step; empty when all is well. The next step is held against what is now."""
        after = State.seen(self.erp)
        found = [*self._once(after), *self._states(after), *self._fates(after), *self._answers(after)]
        self.before, self.may_have_arrived = after, None
        return found

    def _once(self, after: State) -> Iterator[str]:
        yield from (f"{name} arrived {count} times" for name, count in self.erp.arrivals.items() if count > 1)
        for name in after.arrived - self.before.arrived:
            earlier = self.before.exports.get(name)
            if not earlier or earlier.status != E.PENDING:
                yield f"{name} arrived while it was {earlier and earlier.status}"
            if self.may_have_arrived is not None and name not in self.may_have_arrived:
                yield f"{name} arrived over a connection that may not be used"
        for name in after.arrived:
            if hashlib.sha256(self.erp.documents[name]).hexdigest() != after.exports[name].sha256:
                yield f"{name} has other bytes than its SHA-256 tells"

    def _states(self, after: State) -> Iterator[str]:
        live = Counter(e.order for e in after.exports.values() if e.status in LIVE)
        yield from (f"order {order} has {count} live exports" for order, count in live.items() if count > 1)
        for e in after.exports.values():
            if e.id in after.superseded:
                if e.status != E.FAILED:
                    yield f"{e.filename} is {e.status} and superseded"
            elif e.order_status not in PAIRS[E(e.status)]:
                yield f"{e.filename} is {e.status} and its order {e.order_status}"
            if e.is_undecided and not self.may_be_undecided:
                yield f"{e.filename} is in doubt without a reason"
            if e.status == E.ACKED and e.erp_order_id != e.order_erp_id:
                yield f"{e.filename} and its order differ in the ERP's order id"
            if (e.status in {E.SENT, E.ACKED} or e.is_sent) and e.filename not in after.arrived:
                yield f"{e.filename} is {e.status} and never arrived"

    def _fates(self, after: State) -> Iterator[str]:
        for name, e in after.exports.items():
            earlier = self.before.exports.get(name)
            fate = earlier and earlier.fate
            if fate and fate != e.fate:
                yield f"{name} was settled as {fate} and is {e.fate}"
            elif e.fate and not fate and not self._is_justified(e):
                yield f"{name} is {e.fate} without a reason"

    def _is_justified(self, e: Export) -> bool:
        rows = AckFile.objects.filter(export__filename=e.filename, verdict=Verdict.MATCHED).values_list(
            "name", "sha256"
        )
        written = {(a.path.name, a.sha256): a for a in self.erp.answers if a.export == e.filename and a.is_whole}
        answers = [written.get(row) for row in rows]
        if len(answers) == 1 and answers[0]:
            return answers[0].accepted == (e.status == E.ACKED) and e.erp_order_id in answers[0].body.decode()
        if answers or e.status == E.ACKED:
            return False
        return e.filename in self.given_up | self.found_missing or (e.tries > len(WAITS) and not e.staged_path)

    def _answers(self, after: State) -> Iterator[str]:
        """Each is lying there still, or in the ledger with its verdict and put away."""
        waiting = [answer for answer in self.erp.answers if answer not in self._accounted]
        if not waiting:
            return
        rows = {(name, sha): verdict for name, sha, verdict in AckFile.objects.values_list("name", "sha256", "verdict")}
        for answer in waiting:
            key = answer.path.name, answer.sha256
            verdict = rows.get(key, "")
            if verdict and key not in self._ledgered:
                self._ledgered.add(key)
                if verdict not in self._verdicts(answer, after):
                    yield f"{answer.path.name} is {verdict} instead of {self._verdicts(answer, after)}"
            if not answer.is_lying:
                self._accounted.add(answer)
                if not verdict or not self._is_put_away(answer, verdict):
                    yield f"{answer.path.name} is gone, in the ledger it is {verdict or 'not'}"
                elif not answer.is_whole and answer.polls < 2:
                    yield f"{answer.path.name} was put aside at first sight"

    def _is_put_away(self, answer: Answer, verdict: str) -> bool:
        folder = answer.path.parent / ("error" if verdict == Verdict.MALFORMED else "processed")
        return any(path.read_bytes() == answer.body for path in folder.glob(f"{answer.path.name[:-5]}*"))

    def _verdicts(self, answer: Answer, after: State) -> set[str]:
        """Of one answer or several that a poll has read between the two states."""
        if not answer.is_whole:
            return {Verdict.MALFORMED}
        earlier, now = self.before.exports[answer.export], after.exports[answer.export]
        if earlier.id in self.before.superseded:
            return {Verdict.LATE}
        if not now.fate:
            return set()
        if answer.accepted != (now.status == E.ACKED):
            return {Verdict.CONFLICT}
        return {Verdict.DUPLICATE} if earlier.fate else {Verdict.MATCHED, Verdict.DUPLICATE}
