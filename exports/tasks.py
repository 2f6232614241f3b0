"""What Celery runs. Arguments are ids; a message that comes twice or not at all changes nothing."""

import logging
from uuid import UUID

from celery import shared_task
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from connectors.connections import health
from connectors.exceptions import ConnectorError
from exports import ack_poller
from exports.acks.schedule import due_for_polling
from exports.bulk import jobs
from exports.delivery import cleanup, drain
from exports.documents import archive
from exports.lanes import dispatch
from exports.models import Lane
from exports.rollback import guard, probe
from exports.webhooks import dispatch as webhook_dispatch
from exports.webhooks import sender, signing

logger = logging.getLogger(__name__)


@shared_task
def drain_lane(connection_id: str) -> None:
    drain.drain(UUID(connection_id))


@shared_task
def poll_acks(connection_id: str) -> None:
    try:
        ack_poller.poll(UUID(connection_id))
    except ConnectorError as error:
        logger.warning("The answers of connection %s cannot be read: %s", connection_id, error)


@shared_task
def poll_due() -> None:
    for connection_id in due_for_polling():
        dispatch.wake(connection_id, Lane.Kind.ACKS)


@shared_task
def tidy_up(connection_id: str) -> None:
    try:
        cleanup.tidy_up(UUID(connection_id))
    except ConnectorError as error:
        logger.warning("Old temporary files of connection %s are left behind: %s", connection_id, error)


@shared_task
def tidy_due() -> None:
    for connection_id in cleanup.due():
        dispatch.wake(connection_id, Lane.Kind.TIDYING)


@shared_task
def sweep() -> None:
    """Wake every lane with work that nobody is at: its message was lost, its worker died, its wait is over, or the key
    that it lacked is set by now. None while all are held."""
    if guard.look():
        return
    health.release_readable()
    held = Lane.objects.filter(connection=OuterRef("pk"), kind=Lane.Kind.DELIVERY, leased_until__gte=Now())
    waiting = drain.due().filter(connection=OuterRef("pk"))
    for connection_id in health.usable().filter(Exists(waiting), ~Exists(held)).values_list("pk", flat=True):
        dispatch.wake(connection_id)
    for kind in Lane.Kind:
        dispatch.call_next(kind)


@shared_task
def run_bulk_job(job_id: str) -> None:
    jobs.run(UUID(job_id))


@shared_task
def bulk_jobs_due() -> None:
    jobs.call_due()


@shared_task
def store_copies() -> None:
    """The copies that did not come about beside the drop; and whether the journal beside them can be written."""
    probe.look()
    archive.store_missing()


@shared_task
def send_webhooks(endpoint_id: str) -> None:
    sender.send(UUID(endpoint_id))


@shared_task
def webhooks_due() -> None:
    """Wake the endpoints that nobody is at: a message was lost, a sender died, or a pause is over."""
    signing.forget_ended()
    webhook_dispatch.call_next()
