"""One worker at a time for a connection: leases by conditional UPDATE, timed by the database's clock."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from connectors.failpoints import Failpoint, reached
from exports.models import Lane
from orderflow.celery import app

logger = logging.getLogger(__name__)

# A wake-up that nobody has seen by then was lost on the way.
WAKE_LOST_AFTER = timedelta(seconds=30)

# By name: the tasks import what works on a lane.
TASKS = {
    Lane.Kind.DELIVERY: "exports.tasks.drain_lane",
    Lane.Kind.ACKS: "exports.tasks.poll_acks",
    Lane.Kind.TIDYING: "exports.tasks.tidy_up",
}


class LaneLost(Exception):
    """Another worker holds the lane by now: whatever this one had in hand is no longer its to finish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    lane_id: int
    connection_id: UUID
    token: int


@contextmanager
def holding(connection_id: UUID, kind: Lane.Kind) -> Iterator[Lease | None]:
    """The lane while the block runs, or None when somebody else holds it."""
    lease = _acquire(connection_id, kind)
    if lease is None:
        yield None
        return
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, done), name=f"lease of {connection_id}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        done.set()
        keeper.join()
        if Lane.objects.filter(pk=lease.lane_id, token=lease.token).update(leased_until=None):
            reached(Failpoint.LANE_RELEASED)
            _wake_again(connection_id, kind)


def renew(lease: Lease) -> None:
    """Inside a transaction this also keeps everybody else off the lane until its end. Raises `LaneLost`."""
    held = Lane.objects.filter(pk=lease.lane_id, token=lease.token)
    if not held.update(leased_until=_after(settings.LEASE_S)):
        raise LaneLost(f"The lane of connection {lease.connection_id} has another holder.")


def wake(connection_id: UUID, kind: Lane.Kind = Lane.Kind.DELIVERY) -> bool:
    """Send one wake-up for new work; a lane that is awake gets no further one. True when one was sent."""
    lane, _ = Lane.objects.get_or_create(connection_id=connection_id, kind=kind)
    asleep = Lane.objects.filter(
        Q(awake_since=None) | Q(awake_since__lt=_after(-WAKE_LOST_AFTER.total_seconds())), pk=lane.pk
    )
    if not asleep.update(awake_since=Now()):
        return False
    reached(Failpoint.WAKE_UP_NOTED)
    try:
        app.send_task(TASKS[kind], args=[str(connection_id)])
    except OperationalError as error:
        logger.warning("The broker took no wake-up, the next sweep will find the work: %s", error)
        # Or the sweep would wait for it.
        Lane.objects.filter(pk=lane.pk).update(awake_since=None)
        return False
    return True


def _wake_again(connection_id: UUID, kind: Lane.Kind) -> None:
    """A wake-up that found the lane held did nothing: its work may have come after the holder's last look. One that is
    still on its way will be heard, and a second would take a turn from other lanes."""
    unheard = Lane.objects.filter(connection_id=connection_id, kind=kind, leased_until=None, wake_missed=True)
    if unheard.update(awake_since=None, wake_missed=False):
        wake(connection_id, kind)


def note_error(lease: Lease, error: str) -> None:
    """What the last run ended with; empty when it went well."""
    Lane.objects.filter(pk=lease.lane_id, token=lease.token).update(last_error=error[:500])


def _acquire(connection_id: UUID, kind: Lane.Kind) -> Lease | None:
    lane, _ = Lane.objects.get_or_create(connection_id=connection_id, kind=kind)
    # Whoever finds it held says so to the holder; when that has just gone, it can be had.
    while not (lease := _take(lane)):
        held = Lane.objects.filter(pk=lane.pk, leased_until__gte=Now())
        if held.update(wake_missed=True):
            return None
    return lease


@transaction.atomic
def _take(lane: Lane) -> Lease | None:
    free = Lane.objects.filter(Q(leased_until=None) | Q(leased_until__lt=Now()), pk=lane.pk)
    taken = free.update(
        token=F("token") + 1,
        leased_until=_after(settings.LEASE_S),
        awake_since=None,
        wake_missed=False,
        last_run_at=Now(),
    )
    if not taken:
        return None
    token = Lane.objects.values_list("token", flat=True).get(pk=lane.pk)
    return Lease(lane_id=lane.pk, connection_id=lane.connection_id, token=token)


def _keep(lease: Lease, done: threading.Event) -> None:
    """Renew while the work goes on; a worker that is killed or frozen stops renewing, and the lease ends."""
    try:
        while not done.wait(settings.LEASE_S / 3):
            renew(lease)
    except LaneLost as lost:
        logger.warning("%s", lost)
    except DatabaseError as error:
        logger.warning("The lease of connection %s cannot be renewed: %s", lease.connection_id, error)
    finally:
        connection.close()


def _after(seconds: float) -> Combinable:
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
