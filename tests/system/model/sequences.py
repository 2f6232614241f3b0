"""Whole sequences: after each step nothing illegal, and in the end everything settled."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.core.files.storage import storages
from hypothesis.stateful import invariant

from connectors.connections import service as connection_service
from connectors.models import ERPConnection
from exports.documents import archive
from exports.models import AckFile, ERPExport, EventKind, ExportEvent, Verdict
from exports.models.status import LIVE, ExportStatus
from tests.system.model.actors.people import ACTOR
from tests.system.model.actors.workers import Workers

ROUNDS = 4
# Longer than any wait of the schedule, any pause and any lease.
LONG = timedelta(hours=14)
SETTLING = {
    EventKind.ACKED: ExportStatus.ACKED,
    EventKind.FAILED: ExportStatus.FAILED,
    EventKind.GIVEN_UP: ExportStatus.FAILED,
    EventKind.WITHDRAWN: ExportStatus.FAILED,
}


class Sequences(Workers):
    @invariant()
    def nothing_is_illegal(self) -> None:
        illegal = self.account.illegal()
        assert not illegal, "; ".join(illegal)

    def teardown(self) -> None:
        try:
            # Not behind a failure, which would be told of second.
            if sys.exc_info()[0] is None:
                self._settle()
                type(self).settled += 1
        finally:
            self.world.end()

    def _settle(self) -> None:
        """Everything goes right for a while; then nothing may be left open."""
        self.find_folder()
        self.find_keys()
        for _ in range(ROUNDS):
            self._let_go_right()
            if not self.is_waiting:
                break
        left = [*self._unsettled(), *self._untold(), *self._without_copy()]
        assert not left, "; ".join(left)

    def _let_go_right(self) -> None:
        self.world.pass_time(LONG)
        if self.has_pending:
            self._release()
            self.world.drain()
        self.nothing_is_illegal()
        self.decide()
        self.nothing_is_illegal()
        self.erp.take()
        self.world.move_to(self.world.roots[0])
        self.answer_all()
        for half in self.erp.halves():
            self.erp.complete(half)
        for root in self.world.roots:
            self.world.move_to(root)
            if any(self.world.acks.glob("*.json")):
                self.world.poll()
        self.world.move_to(self.world.roots[0])
        self.nothing_is_illegal()

    def _release(self) -> None:
        if self.connection.status == ERPConnection.Status.DISABLED:
            self.set_active(True)
        # Read after that edit: a test of an older revision says nothing about the present one.
        connection = self.connection
        if connection.blocked_at:
            result = connection_service.test(connection, actor=ACTOR)
            assert result.success, result.error_message

    def _unsettled(self) -> Iterator[str]:
        yield from (f"{e.filename} is {e.status} in the end" for e in self.exports() if e.status in LIVE)
        yield from (f"{a.path.name} still lies there" for a in self.erp.answers if a.is_lying)
        rows = AckFile.objects.filter(verdict=Verdict.INCOMPLETE)
        yield from (f"{row.name} is incomplete in the ledger, and gone" for row in rows)
        orphans = AckFile.objects.filter(verdict=Verdict.ORPHAN).count()
        if orphans != self.orphans:
            yield f"{orphans} orphans are noted instead of {self.orphans}"

    def _untold(self) -> Iterator[str]:
        """The history says what the states say."""
        events: dict[str, list[str]] = {}
        for name, kind in ExportEvent.objects.order_by("id").values_list("export__filename", "kind"):
            events.setdefault(name, []).append(kind)
        for e in self.exports():
            kinds = Counter(events[e.filename])
            settled = [SETTLING[EventKind(kind)] for kind in events[e.filename] if kind in SETTLING]
            settled += [ExportStatus.FAILED] * (e.filename in self.account.found_missing)
            if events[e.filename][0] != EventKind.REQUESTED or kinds[EventKind.SENT] > 1 or settled != [e.status]:
                yield f"{e.filename} is {e.status} after {events[e.filename]}"

    def _without_copy(self) -> Iterator[str]:
        if self.account.is_renamed:
            # What would be rendered now is not what was sent.
            return
        self.world.pass_time(timedelta(minutes=2))
        archive.store_missing()
        for row in ERPExport.objects.filter(filename__in=self.erp.arrivals).exclude(
            draft_order__in=self.account.amended
        ):
            if not row.storage_key:
                yield f"{row.filename} arrived and has no copy"
                continue
            with storages["exports"].open(row.storage_key) as copy:
                if copy.read() != self.erp.documents[row.filename]:
                    yield f"{row.filename} has another copy than arrived"
