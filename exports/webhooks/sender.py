"""Tell an endpoint what is due: one message after the other, for one time slice at the most."""

import logging
from uuid import UUID

from connectors.exceptions import ConfigError
from exports.webhooks import leases, outcome, schedule, wake_ups
from exports.webhooks.leases import Lease, LeaseLost
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from exports.webhooks.receiver import Answer, Receiver

logger = logging.getLogger(__name__)


def send(endpoint_id: UUID) -> None:
    lease = leases.take(endpoint_id)
    if lease is None:
        return
    try:
        _send(lease)
    except LeaseLost as lost:
        logger.warning("A message is sent again: %s", lost)
    finally:
        leases.give_back(lease)
        wake_ups.call_next()


def _send(lease: Lease) -> None:
    try:
        secret = lease.endpoint.secret()
    except ConfigError as error:
        if message := _next_message(lease.endpoint):
            outcome.enter(lease, message, Answer(error=str(error)))
        return
    with Receiver(url=lease.endpoint.url, secret=secret) as receiver:
        while message := _next_message(lease.endpoint):
            if not outcome.enter(lease, message, _answer(receiver, message)) or lease.is_over:
                return


def _answer(receiver: Receiver, message: WebhookMessage) -> Answer:
    try:
        return receiver.post(message.webhook_id, message.payload)
    except Exception:
        # A fault of our own must not be tried again and again without a pause.
        logger.exception("Message %s could not be sent", message)
        return Answer(error="The message could not be sent. The worker's log has why.")


def _next_message(endpoint: WebhookEndpoint) -> WebhookMessage | None:
    """The oldest; but one that failed again and again has no precedence any more."""
    due = leases.due_messages().filter(endpoint=endpoint).order_by("id")
    return due.filter(tries__lt=schedule.STUBBORN_AFTER).first() or due.first()
