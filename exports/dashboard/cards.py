"""The figures at the top of the dashboard, each with a link to what it counts."""

from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse

from exports.admin.durations import duration_text
from exports.admin.filters import OPEN, OVERDUE, exports_url
from exports.dashboard.figures import Figures
from exports.dashboard.percentiles import Spread
from exports.decisions import failure_groups
from exports.models.status import ExportStatus
from orderflow.orders.status import OrderStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One figure. `href` leads to what it counts, or is empty; `is_bad` says that a person has to do something."""

    title: str
    value: str
    detail: str = ""
    href: str = ""
    is_bad: bool = False


def of(found: Figures) -> list[Card]:
    oldest, overdue = found.oldest_pending, found.overdue
    return [
        _error_card(found.open_work.in_error),
        Card(
            title="Oldest pending",
            value=duration_text(found.at - oldest.oldest_pending) if oldest and oldest.oldest_pending else "None",
            detail=f"over {oldest.connection}" if oldest else "Nothing waits to be sent.",
            href=exports_url(status__exact=ExportStatus.PENDING, o="1") if oldest else "",
            is_bad=bool(oldest and oldest.oldest_pending and found.at - oldest.oldest_pending > timedelta(hours=1)),
        ),
        Card(
            title="Overdue answers",
            value=f"{overdue:,}",
            detail="Sent, and not answered in time." if overdue else "None is overdue.",
            href=exports_url(**{OPEN: OVERDUE}) if overdue else "",
            is_bad=overdue > 0,
        ),
        _spread_card("From push to sent", found.to_sent),
        _spread_card("From push to acknowledged", found.to_acked),
    ]


def _error_card(count: int) -> Card:
    """Of all orders in ERROR, whenever they failed."""
    shown = f"{count:,}" if count < failure_groups.COUNTED else f"{failure_groups.COUNTED:,} or more"
    detail = "Failed, and not fixed yet, however long ago." if count else "None is in error."
    url = f"{reverse('admin:orders_draftorder_changelist')}?status__exact={OrderStatus.ERROR}"
    return Card(title="Orders in error", value=shown, detail=detail, href=url if count else "", is_bad=count > 0)


def _spread_card(title: str, spread: Spread | None) -> Card:
    if spread is None:
        return Card(title=title, value="None", detail="None in the last 24 hours.")
    return Card(
        title=title, value=duration_text(spread.median), detail=f"median; 95 of 100 within {duration_text(spread.p95)}"
    )
