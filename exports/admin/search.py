"""What people know of an order - its number, a file's name, the ERP's id, its customer - and the rows that it leads to.

Each is looked up in an index of its own that leads straight to the first rows, and a page of them at most: a search
takes as long among a million.
"""

import re
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from connectors.documents.naming import sales_order_in
from exports.models import AckFile, ERPExport
from exports.webhooks.models import WebhookMessage
from orderflow.admin.searchable import KnownAsAdmin
from orderflow.db.ordering import ByBytes
from orderflow.fields.identifiers import normalised
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.scope import User, scoped

CUSTOMERS = 8

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def orders_known_as(term: str, user: User) -> set[UUID]:
    """By the number or how it begins, by the customer, by the ERP's id, by an id as file names have it."""
    orders = scoped(DraftOrder.objects.all(), user)
    answered = scoped(ERPExport.objects.all(), user).filter(erp_order_id__in=_spellings(term))
    found = _newest(answered, "draft_order_id") | _newest(orders.filter(pk__any_of=_ids(term)))
    for spelling in _spellings(term):
        numbered = orders.filter(external_order_number__startswith=spelling)
        found.update(
            numbered.order_by(ByBytes("external_order_number")).values_list("pk", flat=True)[: KnownAsAdmin.most]
        )
    # One by one: for several at once, the newest of all would be found by reading all.
    for customer in _customers(term, user):
        found |= _newest(orders.filter(customer=customer))
    return found


def exports_known_as(term: str, user: User) -> set[UUID]:
    """By the file's name, whatever an answer's name has around it; else by its id or by what its order is known as."""
    exports = scoped(ERPExport.objects.all(), user)
    name = sales_order_in(term) or re.sub("^(ack|error)_", "", term, flags=re.IGNORECASE)
    # The index of names begins with the connection.
    named = _newest(exports.filter(connection__organization=F("organization"), filename=name))
    if named:
        return named
    orders = orders_known_as(term, user)
    return _newest(exports.filter(pk__any_of=_ids(term))) | _newest(exports.filter(draft_order__pk__any_of=orders))


def answers_known_as(term: str, user: User) -> set[int]:
    """By the file's name, or by what their export is known as."""
    answers = scoped(AckFile.objects.all(), user)
    exports = exports_known_as(term, user)
    # As above; who is no answer to an export has a name only.
    named = answers.filter(connection__organization=F("organization"), name=term)
    return _newest(named, by="-id") | _newest(answers.filter(export__pk__any_of=exports), by="-id")


def messages_known_as(term: str, user: User) -> set[int]:
    """By what their export is known as."""
    messages = scoped(WebhookMessage.objects.all(), user)
    return _newest(messages.filter(export__pk__any_of=exports_known_as(term, user)), by="-id")


def _newest(rows: QuerySet[Any], column: str = "pk", *, by: str = "-created_at") -> set[Any]:
    return set(rows.order_by(by).values_list(column, flat=True)[: KnownAsAdmin.most])


def _customers(term: str, user: User) -> list[UUID]:
    """There are few, next to their orders."""
    known = Q(name__icontains=term) | Q(erp_customer_number__istartswith=term)
    return list(scoped(Customer.objects.all(), user).filter(known).values_list("pk", flat=True)[:CUSTOMERS])


def _spellings(term: str) -> list[str]:
    """Numbers are mostly written in capitals, and seldom typed so."""
    term = normalised(term)
    return sorted({term, term.upper()})


def _ids(term: str) -> list[UUID]:
    return [UUID(text) for text in _ID.findall(term)]
