"""Where incidents come from. Each source is asked under its own guard: one that fails hides nothing of the others."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from exports.acks import unresolved as unresolved_acks
from exports.incidents.detectors import components, connections, retrying, waiting
from exports.incidents.detectors.connections import Trouble, organizations
from exports.incidents.models import Incident
from orderflow.heartbeats import faults
from orderflow.heartbeats.models import Fault

logger = logging.getLogger(__name__)

# How long a source may fail before that is reported: a query that timed out works the next time.
FAILS_FOR = timedelta(minutes=5)
# A source that an earlier version had is not asked any more.
FORGOTTEN_AFTER_S = 600.0

_PREFIX = "incidents: "

Kind = Incident.Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """`kinds` of the incidents that it finds, and no other source does."""

    name: str
    kinds: frozenset[str]
    find: Callable[[], Iterable[Trouble]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the sources found. `unknown` are the kinds of those that failed."""

    troubles: dict[tuple[UUID, str, str], Trouble]
    unknown: frozenset[str]


def every() -> list[Source]:
    listed: list[tuple[str, tuple[Kind, ...], Callable[[], Iterable[Trouble]]]] = [
        ("connections", (Kind.BLOCKED, Kind.PAUSED), connections.unusable),
        ("polls", (Kind.POLLING,), connections.polling),
        ("failed exports", (Kind.FAILING,), connections.failing),
        ("exports in doubt", (Kind.IN_DOUBT,), connections.in_doubt),
        ("overdue acknowledgements", (Kind.OVERDUE,), connections.overdue),
        ("acknowledgements to check", (Kind.ACKS,), _acks),
        ("held deliveries", (Kind.HELD,), connections.held),
        *components.SOURCES,
        ("orders that wait", (Kind.DISABLED, Kind.WAITING), waiting.troubles),
        ("orders that are retried", (Kind.RETRYING,), retrying.troubles),
    ]
    return [Source(name=name, kinds=frozenset(kinds), find=find) for name, kinds, find in listed]


def ask(sources: Iterable[Source]) -> Found:
    """Never raises for a source, only `DatabaseError` where its failure cannot be recorded."""
    found: list[Trouble] = []
    unknown: set[str] = set()
    failing = set(_failing().values_list("name", flat=True))
    for source in sources:
        try:
            found += list(source.find())
        except Exception as error:
            logger.exception("It cannot be determined which incidents there are of: %s", source.name)
            faults.seen(f"{_PREFIX}{source.name}", type(error).__name__)
            unknown |= source.kinds
        else:
            if f"{_PREFIX}{source.name}" in failing:
                faults.over(f"{_PREFIX}{source.name}")
    found += _reported()
    return Found(troubles={each.key: each for each in found}, unknown=frozenset(unknown))


def _acks() -> Iterator[Trouble]:
    unresolved_acks.resolve_settled()
    return connections.acks()


def _failing() -> QuerySet[Fault]:
    return faults.present(_PREFIX, FORGOTTEN_AFTER_S)


def _reported() -> Iterator[Trouble]:
    """An incident for each source that fails for long, for each organization in use. The reason is in the log alone: it
    may name what only the server's administrator may know."""
    for fault in _failing():
        what = fault.name.removeprefix(_PREFIX)
        for organization_id in organizations():
            yield Trouble(
                organization_id=organization_id,
                kind=Kind.STOPPED,
                since=fault.since,
                subject=fault.name,
                label=f"alerts about {what}",
                reason=f"OrderFlow cannot determine whether anything is wrong with: {what}. Such incidents neither "
                "open nor close. Ask the server's administrator; the workers' log has the reason.",
                begins=timezone.now() - fault.since > FAILS_FOR,
            )
