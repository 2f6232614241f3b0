"""What the command palette (Ctrl+K) finds beside the menu: orders, customers and connections."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from connectors.models import ERPConnection
from exports.admin import search
from orderflow.admin.declared_list import can_be_searched
from orderflow.admin.pages import change_url
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, scoped

# Of each kind. The lists show more.
SHOWN = 8


def found(request: HttpRequest, term: str) -> list[SearchResult]:
    """Of what the person may see. Reads as much as the search of the list of orders."""
    user, term = request.user, term.strip()
    if not term or not can_be_searched(term) or not may(user, Action.READ):
        return []
    orders = DraftOrder.objects.filter(pk__any_of=search.orders_known_as(term, user)).select_related("customer")
    named = Q(name__icontains=term)
    customers = scoped(Customer.objects.filter(named | Q(erp_customer_number__istartswith=term)), user)
    connections = scoped(ERPConnection.objects.filter(named), user)
    return [
        *_results(orders.order_by("-created_at")[:SHOWN], icon="receipt_long"),
        *_results(customers[:SHOWN], icon="storefront"),
        *_results(connections[:SHOWN], icon="cable"),
    ]


def _results(rows: Iterable[Any], *, icon: str) -> Iterator[SearchResult]:
    for row in rows:
        yield SearchResult(title=str(row), description=_description(row), link=change_url(row), icon=icon)


def _description(row: Any) -> str:
    if isinstance(row, DraftOrder):
        customer = f" of {row.customer.name}" if row.customer else ""
        return f"Order{customer}, {row.get_status_display()}"
    return str(row._meta.verbose_name)
