"""What the rules of all actors share."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Rule, RuleBasedStateMachine, RuleStrategy

from connectors.models import ERPConnection
from exports.models.status import LIVE, ExportStatus
from orderflow.orders.models import DraftOrder
from tests.system.model.account import Account, Export
from tests.system.model.world import World

T = TypeVar("T")

LEASE = timedelta(seconds=31)
picks = st.integers(0, 5)


class EveryRule(RuleStrategy):
    """Hypothesis leaves some rules out of each sequence at random. One in which nothing is delivered shows nothing."""

    def _rule_is_enabled(self, rule: Rule) -> bool:
        return self.is_valid(rule)


class Rules(RuleBasedStateMachine):
    """`counts` tells how often each rule came to anything, `settled` how many sequences came to a good end."""

    new_world: ClassVar["partial[World]"]
    counts: ClassVar[Counter[str]]
    settled: ClassVar[int]

    @classmethod
    def begin_anew(cls, new_world: "partial[World]") -> None:
        cls.new_world, cls.counts, cls.settled = new_world, Counter(), 0

    def __init__(self) -> None:
        super().__init__()
        self._rules_strategy = EveryRule(self)
        self.world = self.new_world()
        self.erp = self.world.erp
        self.account = Account(erp=self.erp)
        self.orders: list[DraftOrder] = []

    def count(self, rule: str) -> None:
        self.counts[rule] += 1

    @property
    def connection(self) -> ERPConnection:
        """As it is now."""
        return ERPConnection.objects.select_related("organization").get(pk=self.world.connection.pk)

    def exports(self, status: ExportStatus | None = None) -> list[Export]:
        """As they were after the last step."""
        return [e for e in self.account.before.exports.values() if status in (None, e.status)]

    @property
    def is_waiting(self) -> bool:
        return any(e.status in LIVE for e in self.exports())

    @property
    def has_pending(self) -> bool:
        return any(e.status == ExportStatus.PENDING for e in self.exports())

    @property
    def undecided(self) -> list[str]:
        """The file names of the exports in doubt."""
        return [e.filename for e in self.exports() if e.is_undecided]

    @property
    def is_staged(self) -> bool:
        """May have been published, as far as the product knows."""
        return any(e.status == ExportStatus.PENDING and e.staged_path for e in self.exports())


def picked(items: Sequence[T], pick: int) -> T:
    return items[pick % len(items)]
