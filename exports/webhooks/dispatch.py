"""Messages that an endpoint has something to be told. The database is the queue: losing every one loses nothing."""

import logging
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from exports.lanes import slots
from exports.webhooks import leases
from exports.webhooks.models import WebhookEndpoint
from orderflow.celery import app

logger = logging.getLogger(__name__)

# By name: the tasks import what sends.
TASK = "exports.tasks.send_webhooks"


def wake_all(endpoint_ids: Sequence[UUID]) -> None:
    for endpoint_id in endpoint_ids:
        if not wake(endpoint_id):
            return


def wake(endpoint_id: UUID) -> bool:
    """False when the broker takes none. One that is on its way will be heard; a pause goes on."""
    if not leases.askable().filter(slots.asleep(), pk=endpoint_id).update(awake_since=Now()):
        return True
    try:
        app.send_task(TASK, args=[str(endpoint_id)])
    except OperationalError as error:
        logger.warning("The broker took no wake-up, what is due for the webhook is sent later: %s", error)
        WebhookEndpoint.objects.filter(pk=endpoint_id).update(awake_since=None)
        return False
    return True


def call_next() -> None:
    """Wake those that have waited longest, as many as there may be places. The failing first: they have a place of
    their own, and leave the others to the rest."""
    waiting = leases.due().filter(slots.asleep()).order_by(F("last_run_at").asc(nulls_first=True))
    for group in (waiting.filter(failures_in_a_row__gt=0), waiting.filter(failures_in_a_row=0)):
        wake_all(list(group.values_list("pk", flat=True)[: settings.WEBHOOK_SENDERS]))
