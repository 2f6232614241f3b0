"""One worker at a time for a connection: leases by conditional UPDATE, timed by the database's clock."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from kombu.exceptions import OperationalError

from exports.models import Lane

logger = logging.getLogger(__name__)

# A wake-up that nobody has seen by then was lost on the way.
WAKE_LOST_AFTER = timedelta(seconds=60)


class LaneLost(Exception):
    """Another worker holds the lane by now: whatever this one had in hand is no longer its to finish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    lane_id: int
    connection_id: UUID
    token: int


def _from_now(span: timedelta) -> Combinable:
    return ExpressionWrapper(Now() + span, output_field=DateTimeField())


def acquire(connection_id: UUID, kind: Lane.Kind, *, span: timedelta) -> Lease | None:
    """The lane for `span`, or None while somebody else holds it. Takes the wake-up along."""
    lane, _ = Lane.objects.get_or_create(connection_id=connection_id, kind=kind)
    free = Lane.objects.filter(Q(leased_until=None) | Q(leased_until__lt=Now()), pk=lane.pk)
    with transaction.atomic():
        if not free.update(token=F("token") + 1, leased_until=_from_now(span), awake_since=None, last_run_at=Now()):
            return None
        token = Lane.objects.values_list("token", flat=True).get(pk=lane.pk)
    return Lease(lane_id=lane.pk, connection_id=connection_id, token=token)


def renew(lease: Lease, *, span: timedelta) -> None:
    """Inside a transaction this also keeps everybody else off the lane until its end. Raises `LaneLost`."""
    held = Lane.objects.filter(pk=lease.lane_id, token=lease.token)
    if not held.update(leased_until=_from_now(span)):
        raise LaneLost(f"The lane of connection {lease.connection_id} has another holder.")


def release(lease: Lease, *, error: str = "") -> bool:
    """Give the lane back. True when a wake-up came in meanwhile, so that there may be more to do."""
    Lane.objects.filter(pk=lease.lane_id, token=lease.token).update(leased_until=None, last_error=error[:500])
    return Lane.objects.filter(pk=lease.lane_id, awake_since__isnull=False).exists()


def wake(connection_id: UUID) -> bool:
    """Send one wake-up for new work; a lane that is awake gets no further one. True when one was sent."""
    lane, _ = Lane.objects.get_or_create(connection_id=connection_id, kind=Lane.Kind.DELIVERY)
    asleep = Lane.objects.filter(
        Q(awake_since=None) | Q(awake_since__lt=_from_now(-WAKE_LOST_AFTER)), pk=lane.pk
    )
    if not asleep.update(awake_since=Now()):
        return False
    try:
        # By name: the tasks import the delivery, which imports the lanes.
        current_app.send_task("exports.tasks.drain_lane", args=[str(connection_id)])
    except OperationalError as error:
        logger.warning("The broker took no wake-up, the next sweep will find the work: %s", error)
    return True
