"""The steps from an empty installation to the first order in the ERP, as the dashboard lists them."""

from dataclasses import dataclass

from django.db import models
from django.http import HttpRequest
from django.urls import reverse

from exports.dashboard.figures import Figures
from orderflow.admin.first_organization import add_url
from orderflow.admin.pages import change_url
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, scoped

Linked = tuple[str, str]
BY_CONNECTORS = "An administrator or integrator of your organization does this."
BY_APPROVERS = "An administrator or operator of your organization does this."


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`link` is an address with its label, or None."""

    title: str
    text: str
    is_done: bool
    link: Linked | None
    icon: str


def steps(request: HttpRequest, figures: Figures) -> list[Step]:
    return [
        _organization(),
        _connection(request, figures),
        _order(request),
        _approval(request),
        _push(request),
    ]


def _organization() -> Step:
    is_done = Organization.objects.exists()
    return Step(
        title="Create the organization",
        text="Connections, orders and users belong to it.",
        is_done=is_done,
        link=None if is_done else (add_url(reverse("admin:index")), "Create the organization"),
        icon="apartment",
    )


def _connection(request: HttpRequest, figures: Figures) -> Step:
    connections = [way.connection for way in figures.ways]
    is_tested = any(connection.last_test_success for connection in connections)
    text = "Say where the ERP picks files up: an SFTP server or a folder. Then test it."
    link: Linked | None = None
    if connections:
        text += "" if is_tested else " It is not tested yet."
        link = change_url(connections[0]), "Open the connection"
    elif may(request.user, Action.EDIT_CONNECTIONS):
        link = reverse("admin:connectors_erpconnection_add"), "Add a connection"
    else:
        text += f" {BY_CONNECTORS}"
    return Step(title="Connect an ERP", text=text, is_done=is_tested, link=link, icon="cable")


def _order(request: HttpRequest) -> Step:
    text = "Enter an order by hand, or send orders to the API at /api/v1/."
    if may(request.user, Action.IMPORT):
        text += " On the server, `manage.py import_orders` imports files."
    link = None
    if may(request.user, Action.EDIT_ORDERS):
        link = reverse("admin:orders_draftorder_add"), "Enter an order"
    return Step(title="Bring an order in", text=text, is_done=_orders(request).exists(), link=link, icon="receipt_long")


def _approval(request: HttpRequest) -> Step:
    orders = _orders(request)
    return Step(
        title="Approve the order",
        text="Its page says what is missing, and has the button. " + _unless(request, Action.APPROVE),
        is_done=orders.filter(status=OrderStatus.APPROVED).exists(),
        link=_to_order(orders, OrderStatus.READY, OrderStatus.NEEDS_REVIEW),
        icon="check",
    )


def _push(request: HttpRequest) -> Step:
    return Step(
        title="Push the order",
        text="It leaves over the connection chosen on its page. This page then shows what becomes of it. "
        + _unless(request, Action.PUSH),
        is_done=False,
        link=_to_order(_orders(request), OrderStatus.APPROVED),
        icon="send",
    )


def _orders(request: HttpRequest) -> models.QuerySet[DraftOrder]:
    return scoped(DraftOrder.objects.all(), request.user)


def _to_order(orders: models.QuerySet[DraftOrder], *states: OrderStatus) -> Linked:
    """To the newest in the first of the states that any is in, else to the list."""
    for state in states:
        if order := orders.filter(status=state).order_by("-created_at").first():
            return change_url(order), f"Open order {order}"
    return reverse("admin:orders_draftorder_changelist"), "Open the orders"


def _unless(request: HttpRequest, action: Action) -> str:
    return "" if may(request.user, action) else BY_APPROVERS
