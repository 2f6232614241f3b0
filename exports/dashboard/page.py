"""The admin's first page: the figures in words, with links to what they count."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from connectors.connection_columns import ConnectionColumns, is_paused
from connectors.models import ERPConnection
from exports.dashboard import figures, first_steps
from exports.dashboard.figures import Figures, Way
from exports.dashboard.percentiles import Spread
from exports.failures import LATELY, FailureGroup
from exports.notices.models import Incident
from exports.order_admin import BADGES
from exports.rollback import guard
from exports.transitions import ExportStatus
from exports.words import in_words
from orderflow.heartbeats import standstill
from orderflow.tenancy.admin_page import badge
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, membership_of

# Those with trouble come first, so that none of them is left out.
WAYS_SHOWN = 12

# In the order in which a bar is stacked, from the bottom.
COLOURS = {
    ExportStatus.ACKED: "var(--color-green-600)",
    ExportStatus.SENT: "var(--color-orange-400)",
    ExportStatus.PENDING: "var(--color-blue-500)",
    ExportStatus.FAILED: "var(--color-red-600)",
}
_AXIS = {"grid": {"display": True, "tickWidth": 0}, "border": {"width": 0}, "stacked": True}
_TICKS = {"color": "#6b7280", "precision": 0, "maxRotation": 0, "autoSkipPadding": 12}
CHART_OPTIONS = {
    "animation": False,
    "responsive": True,
    "maintainAspectRatio": False,
    "maxBarThickness": 24,
    "interaction": {"mode": "index", "intersect": False},
    "plugins": {"legend": {"display": False}},
    "scales": {"x": {**_AXIS, "ticks": _TICKS}, "y": {**_AXIS, "ticks": _TICKS, "beginAtZero": True}},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One figure. `href` leads to what it counts, or is empty; `is_bad` says that somebody has to do something."""

    title: str
    value: str
    detail: str = ""
    href: str = ""
    is_bad: bool = False


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the page's template needs, over unfold's own `context`."""
    if not may(request.user, Action.READ):
        return {**context, "is_stranger": True}
    found = figures.of(request.user)
    ways = sorted(found.ways, key=_by_trouble)
    return {
        **context,
        "title": "Dashboard",
        "figures": found,
        "held": guard.held(),
        "cards": _cards(found),
        "totals": [_total(found, status) for status in COLOURS],
        "chart": json.dumps(_chart(found)),
        "counted": f"{figures.COUNTED:,}",
        "chart_options": json.dumps(CHART_OPTIONS),
        "failures": [(each, _failed_url(each.group), _retry_url(each.group)) for each in found.failures],
        "ways": [(way, _health(way.connection), _pending_url(way), _overdue_url(way)) for way in ways[:WAYS_SHOWN]],
        "ways_left": max(len(ways) - WAYS_SHOWN, 0),
        "undecided": found.undecided,
        "undecided_url": _list_url(undecided_since__isnull=False),
        "standstills": standstill.found(),
        "incidents": [(incident, incident_url(incident)) for incident in found.incidents],
        "may_retry": may(request.user, Action.PUSH),
        "first_steps": first_steps.steps(request, found) if found.is_new else [],
        "is_one_of_many": membership_of(request.user) is None,
        "mails_are_off": not settings.EMAIL_URL,
    }


def _cards(found: Figures) -> list[Card]:
    oldest, overdue = found.oldest_pending, found.overdue
    return [
        Card(
            title="Oldest pending",
            value=in_words(found.at - oldest.oldest_pending) if oldest and oldest.oldest_pending else "None",
            detail=f"over {oldest.connection}" if oldest else "Nothing waits to be sent.",
            href=_list_url(status__exact=ExportStatus.PENDING, o="1") if oldest else "",
            is_bad=bool(oldest and oldest.oldest_pending and found.at - oldest.oldest_pending > timedelta(hours=1)),
        ),
        Card(
            title="Overdue answers",
            value=f"{overdue:,}",
            detail="Sent, and not answered in time." if overdue else "Every answer came in time.",
            href=_late_url(found) if overdue else "",
            is_bad=overdue > 0,
        ),
        _spread_card("From push to sent", found.to_sent),
        _spread_card("From push to acknowledged", found.to_acked),
    ]


def _spread_card(title: str, spread: Spread | None) -> Card:
    if spread is None:
        return Card(title=title, value="None", detail="None in the last 24 hours.")
    return Card(title=title, value=in_words(spread.median), detail=f"median; 95 of 100 within {in_words(spread.p95)}")


def _total(found: Figures, status: ExportStatus) -> tuple[str, str, int, str]:
    since = found.hours[0].begins.isoformat()
    shown = badge(status.label, BADGES[status])
    return status.label, shown, found.total(status), _list_url(status__exact=status, created_at__gte=since)


def _chart(found: Figures) -> dict[str, Any]:
    return {
        "labels": [f"{timezone.localtime(hour.begins):%H:%M}" for hour in found.hours],
        "datasets": [
            {"label": status.label, "data": [hour.counts[status] for hour in found.hours], "backgroundColor": colour}
            for status, colour in COLOURS.items()
        ],
    }


def _by_trouble(way: Way) -> tuple[bool, bool, bool, str]:
    connection = way.connection
    return not connection.blocked_at, not is_paused(connection.paused_until), not way.overdue, connection.name


def _health(connection: ERPConnection) -> str:
    return ConnectionColumns().health(connection)


def incident_url(incident: Incident) -> str:
    return reverse("admin:connectors_erpconnection_change", args=[incident.connection_id])


def _failed_url(group: FailureGroup) -> str:
    return _list_url(
        status__exact=ExportStatus.FAILED,
        connection__id__exact=group.connection_id,
        cause__exact=group.cause,
        error_code__exact=group.error_code,
        superseded_by__isnull=True,
        settled_at__gt=(timezone.now() - LATELY).isoformat(),
    )


def _retry_url(group: FailureGroup) -> str:
    key = {"connection": group.connection_id, "cause": group.cause, "code": group.error_code}
    return f"{reverse('retry_failures')}?{urlencode(key)}"


def _pending_url(way: Way) -> str:
    return _list_url(status__exact=ExportStatus.PENDING, connection__id__exact=way.connection.pk)


def _overdue_url(way: Way) -> str:
    return _list_url(
        status__exact=ExportStatus.SENT,
        connection__id__exact=way.connection.pk,
        answer_due_at__lt=timezone.now().isoformat(),
    )


def _late_url(found: Figures) -> str:
    return _list_url(status__exact=ExportStatus.SENT, answer_due_at__lt=found.at.isoformat())


def _list_url(**lookups: Any) -> str:
    return f"{reverse('admin:exports_erpexport_changelist')}?{urlencode(lookups)}"
