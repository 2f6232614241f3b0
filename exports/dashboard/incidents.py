"""Open incidents as the dashboard shows them: those about waiting orders name the first of these and the next step."""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.hostile_text import tame
from exports.models import ERPExport
from exports.notices import contents, waiting
from exports.notices.models import Incident
from exports.notices.texts import WHAT_TO_DO

Kind = Incident.Kind
NAMED = 3
# No more orders are counted.
COUNTED = 1_000
WAITING = {Kind.DISABLED: waiting.unsent, Kind.WAITING: waiting.for_long}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """`orders` and `next_step` are sentences, or empty. `url` leads to what the incident is about."""

    incident: Incident
    url: str
    orders: str = ""
    next_step: str = ""


def shown(incidents: Iterable[Incident]) -> list[Shown]:
    """One query for each incident about waiting orders."""
    return [_shown(each) for each in incidents]


def _shown(incident: Incident) -> Shown:
    url, kind = contents.page(incident), Kind(incident.kind)
    if kind not in WAITING:
        return Shown(incident=incident, url=url)
    rows = WAITING[kind](ERPExport.objects.filter(connection=incident.connection_id)).order_by("created_at")
    orders = rows.values_list("draft_order__external_order_number", "draft_order")[:COUNTED]
    numbers = [number or str(key) for number, key in orders]
    return Shown(incident=incident, url=url, orders=_named(numbers), next_step=WHAT_TO_DO[kind])


def _named(numbers: list[str]) -> str:
    left = len(numbers) - NAMED
    named = ", ".join(tame(number) for number in numbers[:NAMED])
    more = f" and {left:,} {'or more' if len(numbers) >= COUNTED else 'more'}" if left > 0 else ""
    return f"Waiting: {named}{more}." if numbers else ""
