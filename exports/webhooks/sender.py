"""Tell an endpoint what is due, for one time slice at the most."""

import logging
from uuid import UUID

from connectors.exceptions import ConfigError
from exports.webhooks import attempts, leases, signing
from exports.webhooks import dispatch as webhook_dispatch
from exports.webhooks.client.client import Answer
from exports.webhooks.in_flight import Turn
from exports.webhooks.leases import Lease, LeaseLost

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
        webhook_dispatch.call_next()


def _send(lease: Lease) -> None:
    try:
        secrets = signing.secrets_of(lease.endpoint)
    except ConfigError as error:
        if message := leases.due_messages().filter(endpoint=lease.endpoint).order_by("id").first():
            attempts.enter(lease, message, Answer(error=str(error)))
        return
    Turn(lease, secrets).run()
