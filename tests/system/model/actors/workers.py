"""What workers do, and what comes between their steps."""

from collections.abc import Callable
from functools import partial

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from connectors.models import ERPConnection
from exports.models import Lane
from exports.models.status import ExportStatus
from tests.system.model.actors.outside import Outside
from tests.system.model.actors.people import People
from tests.system.model.rules import LEASE
from tests.system.model.steps import Mishap, Steps

Trouble = tuple[Mishap, int]


def troubles(steps: int) -> st.SearchStrategy[Trouble]:
    files = st.tuples(st.sampled_from([Mishap.SESSION_LOST, Mishap.ANSWER_LOST]), st.integers(0, 3))
    killed = st.tuples(st.just(Mishap.KILLED), st.integers(0, steps))
    database = st.tuples(st.just(Mishap.DATABASE_GONE), st.integers(0, steps - 5))
    return st.one_of(killed, killed, files, database)


class Workers(People, Outside):
    @rule(accepted=st.booleans())
    def go_on(self, accepted: bool) -> None:
        """The next step of an order's way when nothing goes wrong."""
        unanswered = self.unanswered()
        if self.has_pending:
            self.deliver()
        elif any(answer.is_lying for answer in self.erp.answers):
            self.poll()
        elif unanswered:
            self.erp.answer(self.world.acks, unanswered[0], accepted=accepted)
            self.count("ack" if accepted else "error ack")
        elif self.exports(ExportStatus.FAILED):
            self.retry(pick=0, key=None)
        else:
            self.push(pick=len(self.exports()), key=None)

    # Or else sequences end before anything has come of them.
    go_on_twice = go_on

    @rule()
    @precondition(lambda self: self.has_pending)
    def deliver(self) -> None:
        self._deliver(Steps())
        self.count("deliver")

    @rule(trouble=troubles(27))
    @precondition(lambda self: self.has_pending)
    def deliver_in_trouble(self, trouble: Trouble) -> None:
        mishap, at = trouble
        steps = Steps(mishap=mishap, at=at)
        self._deliver(steps)
        if steps.has_happened:
            self.count(f"deliver, {mishap}")

    # Half of what a sequence is for.
    deliver_in_trouble_again = deliver_in_trouble

    @rule(at=st.integers(0, 3), what=st.sampled_from(["take", "answer", "edit", "disable", "folder", "worker"]))
    @precondition(lambda self: self.has_pending)
    def deliver_meanwhile(self, at: int, what: str) -> None:
        steps = Steps(mishap=Mishap.MEANWHILE, at=at, meanwhile=partial(self._meanwhile, what, self.world.drain))
        self._deliver(steps)
        if steps.has_happened:
            self.count(f"deliver, meanwhile {what}")

    deliver_meanwhile_again = deliver_meanwhile

    @rule()
    @precondition(lambda self: self.erp.answers)
    def poll(self) -> None:
        self.world.poll()
        self.count("poll")

    @rule(trouble=troubles(20))
    @precondition(lambda self: self.erp.answers)
    def poll_in_trouble(self, trouble: Trouble) -> None:
        mishap, at = trouble
        steps = Steps(mishap=mishap, at=at)
        self.world.poll(steps)
        if steps.has_happened:
            self.count(f"poll, {mishap}")

    @rule(at=st.integers(0, 3), what=st.sampled_from(["answer", "edit", "disable", "worker"]))
    @precondition(lambda self: self.erp.answers)
    def poll_meanwhile(self, at: int, what: str) -> None:
        steps = Steps(mishap=Mishap.MEANWHILE, at=at, meanwhile=partial(self._meanwhile, what, self.world.poll))
        self.world.poll(steps)
        if steps.has_happened:
            self.count(f"poll, meanwhile {what}")

    def _deliver(self, steps: Steps) -> None:
        connection = self.connection
        paused = connection.paused_until and connection.paused_until > timezone.now()
        if connection.status == ERPConnection.Status.DISABLED or connection.blocked_at or paused:
            self._close()
        self.world.drain(steps)

    def _close(self) -> None:
        """From here on nothing may arrive."""
        self.erp.look()
        self.account.may_have_arrived = frozenset(self.erp.arrivals)

    def _meanwhile(self, what: str, work: Callable[[], None]) -> None:
        with self.world.workers.undisturbed():
            if what == "take":
                self.erp.take()
            elif what == "answer":
                self.answer_all()
                self.world.poll()
            elif what == "edit":
                self.save_again()
            elif what == "disable":
                self.set_active(False)
            elif what == "folder":
                self.lose_folder()
            else:
                Lane.objects.update(leased_until=timezone.now() - LEASE)
                work()
