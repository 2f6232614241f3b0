"""The journal outside the database is not written: a restored backup would not be noticed, and its orders be sent
again."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from connectors.text.sanitize import tame
from exports.incidents.detectors.connections import Trouble, organizations
from exports.incidents.models import Incident
from exports.rollback import place_faults
from exports.rollback.place_faults import PLACES
from orderflow.heartbeats.models import Fault

# How long one of the places may fail while the other one takes the entries.
ONE_FAILS_FOR = timedelta(minutes=15)
# Each machine in use checks its places every minute: what still fails was seen again within two of these checks.
RECENT = timedelta(minutes=2, seconds=place_faults.GRAIN_S)

OFF = "all places"
LOST = (
    "The journal is not kept outside the database. If a backup is restored or a failover loses commits now, OrderFlow "
    "does not notice it and sends orders a second time."
)
LEFT = (
    "The journal outside the database is kept in one place only: if that fails too, a restored backup is not noticed."
)


ASK = "Ask the server's administrator; the log has the details."


def troubles() -> Iterator[Trouble]:
    """For each organization in use: at once where no place of a machine takes the entries, and after `ONE_FAILS_FOR`
    where one does not."""
    machines: dict[str, dict[str, Fault]] = {}
    for fault in place_faults.present():
        place, machine = place_faults.parts_of(fault)
        machines.setdefault(machine, {})[place] = fault
    for machine, faults in machines.items():
        is_off = len(faults) == len(PLACES)
        if is_off:
            yield from _of(OFF, machine, list(faults.values()), LOST)
        for place, fault in faults.items():
            # A process that wrote once and has ended says nothing about now.
            is_recent = timezone.now() - fault.at < RECENT
            is_long = timezone.now() - fault.since > ONE_FAILS_FOR and is_recent
            yield from _of(place, machine, [fault], LEFT, begins=is_long and not is_off)


def _of(place: str, machine: str, faults: list[Fault], meaning: str, *, begins: bool = True) -> Iterator[Trouble]:
    """The machine and what its places responded, such as addresses and paths, are for superusers."""
    reasons = "; ".join(tame(fault.reason)[:120] for fault in faults)
    for organization_id in organizations():
        yield Trouble(
            organization_id=organization_id,
            kind=Incident.Kind.JOURNAL,
            since=max(fault.since for fault in faults),
            subject=f"{place}, machine {machine}"[:100],
            label=place,
            reason=f"{meaning} {ASK}",
            details=f"Machine {machine}: {reasons}"[:500],
            begins=begins,
        )
