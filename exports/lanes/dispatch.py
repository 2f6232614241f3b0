"""Messages that there is work on a lane. The database is the queue: losing every one of them loses nothing."""

import logging
from uuid import UUID

from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from connectors.failpoints import Failpoint, reached
from exports.lanes import slots
from exports.models import Lane
from orderflow.celery import app

logger = logging.getLogger(__name__)

# By name: the tasks import what works on a lane.
TASKS = {
    Lane.Kind.DELIVERY: "exports.tasks.drain_lane",
    Lane.Kind.ACKS: "exports.tasks.poll_acks",
    Lane.Kind.TIDYING: "exports.tasks.tidy_up",
}


def wake(connection_id: UUID, kind: Lane.Kind = Lane.Kind.DELIVERY) -> bool:
    """Send one wake-up for new work, unless one is on its way or the lane is in line. True when one was sent."""
    asleep = Lane.objects.filter(slots.asleep(), connection_id=connection_id, kind=kind, waiting_since=None)
    if not asleep.update(awake_since=Now()):
        _, is_new = Lane.objects.get_or_create(connection_id=connection_id, kind=kind)
        if not is_new or not asleep.update(awake_since=Now()):
            return False
    reached(Failpoint.WAKE_UP_NOTED)
    return _send(connection_id, kind)


def call_next(kind: Lane.Kind) -> None:
    """Wake those that waited longest for a place, as many as there are places by now."""
    while connection_id := slots.next_in_line(kind):
        reached(Failpoint.LANE_CALLED)
        if not _send(connection_id, kind):
            return


def make_up(connection_id: UUID, kind: Lane.Kind) -> None:
    """A wake-up that found the lane held did nothing: its work may have come after the holder's last look. One that is
    still on its way will be heard, and a second would take a turn from other lanes."""
    unheard = Lane.objects.filter(connection_id=connection_id, kind=kind, leased_until=None, wake_missed=True)
    if unheard.update(awake_since=None, wake_missed=False):
        wake(connection_id, kind)


def _send(connection_id: UUID, kind: Lane.Kind) -> bool:
    try:
        app.send_task(TASKS[kind], args=[str(connection_id)])
    except OperationalError as error:
        logger.warning("The broker took no wake-up, the next sweep will find the work: %s", error)
        # Or the sweep would wait for it.
        Lane.objects.filter(connection_id=connection_id, kind=kind).update(awake_since=None)
        return False
    return True
