"""Rows in bulk, whatever stands in them."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from orderflow.db.bulk import insert_each, update_each
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization

# What a text format for rows may stumble over.
TEXTS = [
    "",
    "plain",
    "tab\tnew\nline\r",
    "back\\slash \\N \\.",
    "quote ' \" %s {}",
    "Grüße, 漢字 🚚",
    "NULL",
    ", ;",
    '{a,"b"}',
]
COLUMNS = ("organization_id", "actor", "action", "subject_type", "subject_id", "detail", "at")


def row(organization: Organization, actor: str, detail: Any) -> tuple[Any, ...]:
    return organization.pk, actor, "push", "draftorder", "1", detail, timezone.now()


def test_new_rows_hold_what_was_given(organization: Organization) -> None:
    details = [{"text": text, "number": 1.5, "nothing": None, "list": [True]} for text in TEXTS]
    rows = [row(organization, text, detail) for text, detail in zip(TEXTS, details, strict=True)]
    insert_each("default", AuditEntry, COLUMNS, rows)
    found = AuditEntry.objects.order_by("id")
    assert [(entry.actor, entry.detail, entry.organization_id) for entry in found] == [
        (text, detail, organization.pk) for text, detail in zip(TEXTS, details, strict=True)
    ]


def test_no_rows_are_nothing(organization: Organization) -> None:
    insert_each("default", AuditEntry, COLUMNS, [])
    assert update_each("default", AuditEntry, [], {"actor": []}, same={}, where={}) == 0
    assert not AuditEntry.objects.exists()


def test_what_the_database_refuses_is_refused_whole(organization: Organization) -> None:
    rows = [(uuid4(), "New", "new", timezone.now()), (uuid4(), "Acme again", organization.slug, timezone.now())]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_each("default", Organization, ("id", "name", "slug", "created_at"), rows)
    assert Organization.objects.get() == organization


def test_each_row_gets_its_own_values_and_no_text_is_cut(organization: Organization) -> None:
    first, *orders = (
        DraftOrder.objects.create(organization=organization, currency="EUR") for _ in range(1 + len(TEXTS))
    )
    own = {"notes": TEXTS, "error_message": ["x" * 500 for _ in TEXTS]}
    keys = [order.pk for order in orders]
    assert update_each("default", DraftOrder, keys, own, same={"currency": "CHF"}, where={}) == len(TEXTS)
    for order, text in zip(orders, TEXTS, strict=True):
        order.refresh_from_db()
        assert (order.notes, order.error_message, order.currency) == (text, "x" * 500, "CHF")
    first.refresh_from_db()
    assert (first.notes, first.currency) == ("", "EUR")


def test_any_of_finds_what_in_finds(organization: Organization) -> None:
    orders = [DraftOrder.objects.create(organization=organization, notes=text) for text in TEXTS]
    assert set(DraftOrder.objects.filter(pk__any_of=[orders[2].pk, orders[5].pk])) == {orders[2], orders[5]}
    assert set(DraftOrder.objects.filter(notes__any_of=TEXTS[2:])) == set(orders[2:])
    assert not DraftOrder.objects.filter(pk__any_of=[]).exists()
