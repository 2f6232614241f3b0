"""Notices of what became of exports, written down with the change itself: both are committed, or neither is."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from exports.models import ERPExport
from exports.webhooks import dispatch as webhook_dispatch
from exports.webhooks import payload
from exports.webhooks.models import MessageStatus, WebhookEndpoint, WebhookMessage
from orderflow.db.bulk import insert_each
from orderflow.db.uuid7 import time_ordered_uuid

FIELDS = (
    "organization_id", "endpoint_id", "export_id", "uuid", "type", "payload", "status", "tries", "next_attempt_at",
    "created_at", "settled_at",
)  # fmt: skip


def announce(export_ids: Sequence[UUID]) -> None:
    """Tell whoever wants to know of exports that have just moved, all of one connection: in the transaction that moved
    them, once for each move. An organization without a webhook costs one query."""
    if not export_ids:
        return
    organization = ERPExport.objects.filter(pk=export_ids[0]).values("organization")
    endpoints = list(WebhookEndpoint.objects.filter(organization__in=organization, enabled=True).order_by("pk"))
    if not any(endpoint.wanted for endpoint in endpoints):
        return
    exports = ERPExport.objects.filter(pk__any_of=export_ids).order_by("created_at", "pk")
    told = [(row[0], *payload.of_export(row)) for row in exports.values_list(*payload.COLUMNS)]
    # Pending, not tried yet, to be tried at once.
    fresh = (MessageStatus.PENDING.value, 0, None, timezone.now(), None)
    rows = [
        (endpoint.organization_id, endpoint.pk, pk, time_ordered_uuid(), notice.value, text, *fresh)
        for endpoint in endpoints
        for pk, notice, text in told
        if notice in endpoint.wanted
    ]
    insert_each(WebhookMessage.objects.db, WebhookMessage, FIELDS, rows)
    transaction.on_commit(partial(webhook_dispatch.wake_all, sorted({row[1] for row in rows})), robust=True)
