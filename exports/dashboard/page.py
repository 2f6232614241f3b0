"""The admin's first page: the figures in words, with links to what they count."""

import json
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone

from connectors.admin.columns import ConnectionColumns
from connectors.models import ERPConnection
from exports.admin.filters import FAILED, OPEN, OVERDUE, TO_CHECK, acks_url, exports_url
from exports.admin.orders import BADGES
from exports.dashboard import cards, figures, first_steps, incidents, open_work
from exports.dashboard.figures import Figures, Way
from exports.dashboard.open_work import OpenWork
from exports.decisions.failure_groups import FailureGroup
from exports.incidents import recipients, standby
from exports.incidents.recipients import Gap
from exports.models import installation
from exports.models.status import ExportStatus
from orderflow.admin.formatting import is_paused
from orderflow.admin.pages import badge
from orderflow.heartbeats import standstill
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, membership_of, scoped

# Those with trouble come first, so that none of them is left out.
WAYS_SHOWN = 12
INCIDENTS_SHOWN = 10
GAPS_SHOWN = 4

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


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the page's template needs, over unfold's own `context`."""
    if not may(request.user, Action.READ):
        return {**context, "is_stranger": True}
    found = figures.of(request.user)
    work, standstills, held = found.open_work, standstill.found(), installation.held()
    if any(each.since for each in standstills):
        standby.report()
    ways, shown = sorted(found.ways, key=_by_trouble), cards.of(found)
    return {
        **context,
        **_open_work(work),
        "title": "Dashboard",
        "figures": found,
        "held": held,
        "cards": shown,
        "totals": [_total(found, status) for status in COLOURS],
        "chart": json.dumps(_chart(found)),
        "counted": f"{figures.COUNTED:,}",
        "chart_options": json.dumps(CHART_OPTIONS),
        "all_is_well": work.is_nothing
        and not (standstills or held or any(map(_is_unusable, ways)) or any(card.is_bad for card in shown)),
        "ways": [(way, _health(way.connection), _pending_url(way), _overdue_url(way)) for way in ways[:WAYS_SHOWN]],
        "ways_left": max(len(ways) - WAYS_SHOWN, 0),
        "standstills": standstills,
        "may_retry": may(request.user, Action.PUSH),
        "first_steps": first_steps.steps(request, found) if found.is_new else [],
        "is_one_of_many": membership_of(request.user) is None,
        "mails_are_off": not settings.EMAIL_URL,
        "mail_gaps": _mail_gaps(request),
    }


def _open_work(work: OpenWork) -> dict[str, Any]:
    """What waits for a person: failures, exports in doubt, acknowledgement files and incidents."""
    return {
        "failures": [(each, _failed_url(each.group), _retry_url(each.group)) for each in work.failures],
        "undecided": work.undecided,
        "undecided_url": exports_url(undecided_since__isnull=False),
        "acks": _acks_to_check(work),
        "acks_url": acks_url(**{OPEN: TO_CHECK}),
        "incidents": incidents.shown(work.incidents[:INCIDENTS_SHOWN]),
        "incidents_left": max(len(work.incidents) - INCIDENTS_SHOWN, 0),
        "incidents_counted": open_work.INCIDENTS_COUNTED - INCIDENTS_SHOWN,
    }


def _mail_gaps(request: HttpRequest) -> list[Gap]:
    """For those who can do something about it."""
    if not may(request.user, Action.EDIT_MEMBERS):
        return []
    return recipients.gaps(scoped(Organization.objects.all(), request.user, path="pk"), GAPS_SHOWN)


def _acks_to_check(work: OpenWork) -> str:
    """Such as "10 unreadable, 1 late acknowledgement"; empty if there are none."""
    total = sum(work.acks.values())
    if total >= open_work.ACKS_COUNTED:
        return f"{total:,} or more acknowledgements"
    counts = ", ".join(f"{count:,} {adjective}" for adjective, count in work.acks.items())
    return f"{counts} acknowledgement{pluralize(total)}" if total else ""


def _total(found: Figures, status: ExportStatus) -> tuple[str, str, int, str]:
    since = found.hours[0].begins.isoformat()
    shown = badge(status.label, BADGES[status])
    return status.label, shown, found.total(status), exports_url(status__exact=status, created_at__gte=since)


def _chart(found: Figures) -> dict[str, Any]:
    return {
        "labels": [f"{timezone.localtime(hour.begins):%H:%M}" for hour in found.hours],
        "datasets": [
            {"label": status.label, "data": [hour.counts[status] for hour in found.hours], "backgroundColor": colour}
            for status, colour in COLOURS.items()
        ],
    }


def _by_trouble(way: Way) -> tuple[bool, bool, bool, bool, str]:
    connection, is_stuck = way.connection, _waits_disabled(way)
    away = is_paused(connection.paused_until)
    return not connection.blocked_at, not is_stuck, not away, not way.overdue, connection.name


def _health(connection: ERPConnection) -> str:
    return ConnectionColumns().health(connection)


def _is_unusable(way: Way) -> bool:
    return bool(way.connection.blocked_at) or is_paused(way.connection.paused_until) or _waits_disabled(way)


def _waits_disabled(way: Way) -> bool:
    return way.connection.status == ERPConnection.Status.DISABLED and way.pending > 0


def _failed_url(group: FailureGroup) -> str:
    of_group = {"cause__exact": group.cause, "error_code__exact": group.error_code}
    return exports_url(**{OPEN: FAILED}, connection__id__exact=group.connection_id, **of_group)


def _retry_url(group: FailureGroup) -> str:
    key = {"connection": group.connection_id, "cause": group.cause, "code": group.error_code}
    return f"{reverse('retry_failures')}?{urlencode(key)}"


def _pending_url(way: Way) -> str:
    return exports_url(status__exact=ExportStatus.PENDING, connection__id__exact=way.connection.pk)


def _overdue_url(way: Way) -> str:
    return exports_url(**{OPEN: OVERDUE}, connection__id__exact=way.connection.pk)
