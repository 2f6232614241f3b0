"""Open incidents as the dashboard shows them: those about waiting orders name the first of these and the next step."""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.text.sanitize import tame
from exports.incidents import items
from exports.incidents.detectors import retrying, waiting
from exports.incidents.messages import what_to_do
from exports.incidents.models import Incident
from exports.models import ERPExport

Kind = Incident.Kind
NAMED = 3
# No more orders are counted.
COUNTED = 1_000
# What to do about these is said here: no list or page that the incident links to says it.
EXPLAINED = (Kind.OVERDUE, Kind.HOOKDOWN, Kind.HOOKPART, Kind.HOOKLOST, Kind.JOURNAL, Kind.CERT)
WAITING = {Kind.DISABLED: waiting.unsent, Kind.WAITING: waiting.for_long}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """`orders` and `next_step` are sentences, or empty. `url` leads to what the incident is about."""

    incident: Incident
    url: str
    orders: str = ""
    next_step: str = ""


def shown(incidents: Iterable[Incident]) -> list[Shown]:
    """A query or a few for each incident about waiting orders and overdue acknowledgements."""
    return [_shown(each) for each in incidents]


def _shown(incident: Incident) -> Shown:
    url, kind = items.page(incident), Kind(incident.kind)
    if kind == Kind.RETRYING:
        return Shown(incident=incident, url=url, orders=retrying.sentence(incident), next_step=what_to_do(incident))
    if kind in EXPLAINED:
        return Shown(incident=incident, url=url, next_step=what_to_do(incident))
    if kind not in WAITING:
        return Shown(incident=incident, url=url)
    rows = WAITING[kind](ERPExport.objects.filter(connection=incident.connection_id)).order_by("created_at")
    orders = rows.values_list("draft_order__external_order_number", "draft_order")[:COUNTED]
    numbers = [number or str(key) for number, key in orders]
    return Shown(incident=incident, url=url, orders=_named(numbers), next_step=what_to_do(incident))


def _named(numbers: list[str]) -> str:
    left = len(numbers) - NAMED
    named = ", ".join(tame(number) for number in numbers[:NAMED])
    more = f" and {left:,} {'or more' if len(numbers) >= COUNTED else 'more'}" if left > 0 else ""
    return f"Waiting: {named}{more}." if numbers else ""
