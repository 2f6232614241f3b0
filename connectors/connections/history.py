"""One timeline of a connection: what people did to it, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import islice

from connectors.models import ERPConnection
from orderflow.tenancy.models import VALUES, AuditEntry

# The newest.
SHOWN = 50
# An event says the same.
TOLD_TWICE = ("resume connection",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row of `tenancy/timeline.html`."""

    at: datetime
    title: str
    actor: str
    message: str = ""
    detail: dict[str, str] = field(default_factory=dict)


def history(connection: ERPConnection, *, with_values: bool) -> list[Line]:
    """The newest first; `with_values` for who may see the config."""
    events = [
        Line(at=event.at, title=event.get_kind_display(), actor=event.actor, message=event.message)
        for event in connection.events.order_by("-id")[:SHOWN]
    ]
    entries = AuditEntry.objects.filter(
        organization=connection.organization_id, subject_type="erpconnection", subject_id=str(connection.pk)
    )
    deeds = [_deed(entry, with_values) for entry in entries.exclude(action__in=TOLD_TWICE)[:SHOWN]]
    return list(islice(merge(events, deeds, key=lambda line: line.at, reverse=True), SHOWN))


def _deed(entry: AuditEntry, with_values: bool) -> Line:
    detail = dict(entry.detail)
    values = detail.pop(VALUES, "")
    if values and with_values:
        # They say more than the names do.
        return Line(at=entry.at, title=entry.action.capitalize(), actor=entry.actor, message=values)
    return Line(at=entry.at, title=entry.action.capitalize(), actor=entry.actor, detail=detail)
