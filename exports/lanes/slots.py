"""How many lanes are worked on at once: few of one organization, few whose server may hang; the others wait in line.

Counted in the database, so that the bound holds for all workers together, and a worker that is killed gives its place
back when its lease ends. Deliveries and polls have places of their own.
"""

from collections import Counter
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.db.models.functions import Coalesce, Now

from exports.models import Lane
from orderflow.db.clock import from_now
from orderflow.db.locks import one_at_a_time

# A wake-up that nobody has seen by then was lost on the way.
WAKE_LOST_AFTER_S = 30


class NoPlace(Exception):
    """As many lanes are worked on as may be."""


def asleep() -> Q:
    """No wake-up is on its way."""
    return Q(awake_since=None) | Q(awake_since__lt=from_now(-WAKE_LOST_AFTER_S))


def free() -> Q:
    return Q(leased_until=None) | Q(leased_until__lt=Now())


def require(lane: Lane) -> None:
    """In the transaction that takes the lane. Raises `NoPlace`."""
    organization_id = lane.connection.organization_id
    one_at_a_time(f"{lane.kind} {organization_id}")
    if lane.suspect:
        one_at_a_time(f"{lane.kind} suspect")
    taken = _taken(lane.kind).exclude(pk=lane.pk)
    of_organization = Count("pk", filter=Q(connection__organization=organization_id))
    counts = taken.aggregate(organization=of_organization, suspect=Count("pk", filter=Q(suspect=True)))
    if counts["organization"] >= settings.LANES_PER_ORGANIZATION:
        raise NoPlace
    if lane.suspect and counts["suspect"] >= settings.SUSPECT_LANES:
        raise NoPlace


def line_up(lanes: "models.QuerySet[Lane]") -> None:
    """Who was called and found no place after all keeps its place in the line."""
    lanes.filter(free()).update(waiting_since=Coalesce("waiting_since", Now()), awake_since=None)


def next_in_line(kind: str) -> UUID | None:
    """The connection that has waited longest of those that there is a place for; it counts as called from now on."""
    waiting = Lane.objects.filter(kind=kind, waiting_since__isnull=False)
    if not waiting.exists():
        return None
    rows = waiting.filter(asleep()).exclude(_without_place(kind)).order_by("waiting_since", "pk")
    while (lane := rows.first()) is not None:
        if waiting.filter(asleep(), pk=lane.pk).update(awake_since=Now()):
            return lane.connection_id
    return None


def _without_place(kind: str) -> Q:
    taken = _taken(kind).values_list("connection__organization", "suspect")
    by_organization = Counter(organization for organization, _ in taken)
    full = [organization for organization, count in by_organization.items() if count >= settings.LANES_PER_ORGANIZATION]
    none = Q(connection__organization__in=full)
    if sum(suspect for _, suspect in taken) >= settings.SUSPECT_LANES:
        none |= Q(suspect=True)
    return none


def _taken(kind: str) -> "models.QuerySet[Lane]":
    """Worked on, or called for it: whoever comes in between waits behind them."""
    return Lane.objects.filter(Q(leased_until__gte=Now()) | (Q(waiting_since__isnull=False) & ~asleep()), kind=kind)
