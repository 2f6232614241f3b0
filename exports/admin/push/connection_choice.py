"""Which connection a push goes over, as a person chooses it beside the button."""

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest

from connectors.admin.columns import state_of
from connectors.models import ERPConnection
from exports.models.failure_cause import Cause
from exports.models.status import PushRefused
from orderflow.admin.pages import Choice
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.scope import scoped

FIELD = "connection"
# Of a select; an organization has a few.
MOST = 200
# The variants of states that a person has to know of before a push.
HELD = ("danger", "warning")


def choice(order: DraftOrder) -> Choice | None:
    """The organization's active connections. A retry begins with that of before, a first push with the default, and so
    does a retry of what was withdrawn, since the connection of before did not work. None where there is no active one.
    """
    connections = list(active(order).order_by("name")[:MOST])
    if not connections:
        return None
    before = _before(order) if order.status == OrderStatus.ERROR else None
    wanted = [row for row in connections if row.pk == before] or [row for row in connections if row.is_default]
    options = [(str(row.pk), _label(row)) for row in connections]
    return Choice(name=FIELD, label="Connection", options=options, chosen=str(wanted[0].pk) if wanted else "")


def _label(connection: ERPConnection) -> str:
    """With what a push over it has to expect: the order of one that is blocked or paused waits."""
    state, variant = state_of(connection)
    notes = ["default"] if connection.is_default else []
    if variant in HELD:
        notes.append(f"{state[0].lower()}{state[1:]}")
    return f"{connection} ({', '.join(notes)})" if notes else str(connection)


def active(order: DraftOrder) -> models.QuerySet[ERPConnection]:
    return ERPConnection.objects.filter(organization=order.organization_id, status=ERPConnection.Status.ACTIVE)


def posted(request: HttpRequest) -> ERPConnection | None:
    """None where the request names none. Raises `PushRefused`."""
    key = request.POST.get(FIELD)
    if not key:
        return None
    try:
        found = scoped(ERPConnection.objects.all(), request.user).filter(pk=key).first()
    except ValidationError:
        found = None
    if found is None:
        raise PushRefused("unknown_connection", "There is no such connection. Choose one from the list.")
    return found


def _before(order: DraftOrder) -> object:
    exports = order.exports.filter(superseded_by=None).order_by("-created_at").values_list("connection", "cause")
    before, cause = exports.first() or (None, "")
    if cause == Cause.WITHDRAWN and active(order).filter(is_default=True).exists():
        return None
    return before
