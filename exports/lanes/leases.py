"""One worker at a time for a connection: leases by conditional UPDATE, timed by the database's clock."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from connectors import fencing
from connectors.connections import health
from connectors.exceptions import ConnectorError
from connectors.failpoints import Failpoint, reached
from connectors.fencing import Fence, LeaseLost
from exports.lanes import dispatch, slots
from exports.models import Lane, installation
from exports.rollback import guard
from orderflow.db.clock import from_now

logger = logging.getLogger(__name__)


class LaneLost(LeaseLost):
    """The lease was taken over. Stop; write nothing."""


@dataclass(kw_only=True, slots=True)
class Lease:
    """The lane for one run, and what the run came to, which is written when it gives the lane back. `fence` keeps the
    run from the dropzone once the lease has ended."""

    lane: Lane
    fence: Fence
    error: ConnectorError | None = None
    # Whether the server was asked for anything; without that, nothing is known of it.
    met: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def connection_id(self) -> UUID:
        return self.lane.connection_id

    @property
    def token(self) -> int:
        return self.lane.token

    @property
    def took_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def is_over(self) -> bool:
        """Others wait for the worker: finish what is begun, and leave the rest to the next turn."""
        return self.took_s > float(settings.DELIVERY_SLICE_S)

    @property
    def ends_at(self) -> float:
        """When the session with the server is cut, on the monotonic clock."""
        return self.started + float(settings.JOB_LIMIT_S)


@contextmanager
def holding(connection_id: UUID, kind: Lane.Kind) -> Iterator[Lease | None]:
    """The lane while the block runs, or None when somebody else holds it, it has to wait for a place, or all lanes are
    held."""
    lease = None if guard.first_look() else _acquire(connection_id, kind)
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
        if _give_back(lease):
            reached(Failpoint.LANE_RELEASED)
            dispatch.make_up(connection_id, kind)
            dispatch.call_next(kind)


def renew(lease: Lease) -> None:
    """Inside a transaction this also keeps everybody else off the lane until its end. Raises `LaneLost`."""
    # The database counts from later on: by this clock the lease ends no later than by the database's.
    asked_at = fencing.now()
    if not _held(lease).update(leased_until=from_now(settings.LEASE_S)):
        lease.fence.cut()
        raise LaneLost(f"The lane of connection {lease.connection_id} has another holder.")
    # Not before the commit: a renewal that is rolled back has not taken place.
    transaction.on_commit(partial(lease.fence.extend, asked_at + settings.LEASE_S))


@contextmanager
def held(lease: Lease) -> Iterator[None]:
    """A transaction in which only the lane's holder can write. Raises `LaneLost` before the block runs."""
    with transaction.atomic():
        renew(lease)
        yield


def note(lease: Lease, error: ConnectorError | None) -> None:
    """What the server was last met with; None when it went well."""
    lease.met, lease.error = True, error


def _acquire(connection_id: UUID, kind: Lane.Kind) -> Lease | None:
    of_connection = Lane.objects.filter(connection_id=connection_id, kind=kind)
    in_line = False
    while True:
        try:
            if lease := _take(of_connection):
                return lease
        except slots.NoPlace:
            if in_line:
                return None
            # Whoever gives a place back from now on calls this lane; one that was given back just before can be had.
            slots.line_up(of_connection)
            in_line = True
            continue
        # Whoever finds it held says so to the holder; when that has just gone, it can be had.
        held = of_connection.filter(leased_until__gte=Now())
        if held.update(wake_missed=True) or installation.held():
            return None
        Lane.objects.get_or_create(connection_id=connection_id, kind=kind)


@transaction.atomic
def _take(of_connection: "QuerySet[Lane]") -> Lease | None:
    """None while it is held, or all lanes are, and before it exists. Raises `NoPlace`."""
    asked_at = fencing.now()
    taken = of_connection.filter(slots.free(), installation.not_held()).update(
        # A random step: a failover may lose this commit, and the next claimant must not get the same token.
        token=F("token") + random.randrange(1, 2**24),  # noqa: S311 - not a secret
        leased_until=from_now(settings.LEASE_S),
        awake_since=None,
        waiting_since=None,
        wake_missed=False,
        last_run_at=Now(),
    )
    if not taken:
        return None
    lane = of_connection.select_related("connection").get()
    slots.require(lane)
    subject = f"the {lane.get_kind_display().lower()} lane of connection {lane.connection_id}"
    return Lease(lane=lane, fence=Fence(token=lane.token, until=asked_at + settings.LEASE_S, subject=subject))


@transaction.atomic
def _give_back(lease: Lease) -> bool:
    """False when the lane was lost."""
    lane, error = lease.lane, str(lease.error or "")[:500]
    if not lease.met:
        return _held(lease).update(leased_until=None, passed=lane.passed) == 1
    # It may have gone well and taken more of the worker's time than is anybody's due.
    suspect = lease.error.retryable if lease.error else lease.took_s > 2 * settings.DELIVERY_SLICE_S
    kept = {"passed": lane.passed, "folder": lane.folder}
    if not _held(lease).update(leased_until=None, last_error=error, suspect=suspect, **kept):
        return False
    if lane.kind == Lane.Kind.ACKS and bool(error) != bool(lane.last_error):
        health.record_polling(lane.connection_id, error)
    return True


def _held(lease: Lease) -> "QuerySet[Lane]":
    return Lane.objects.filter(pk=lease.lane.pk, token=lease.token)


def _keep(lease: Lease, done: threading.Event) -> None:
    """Renew while the work goes on; a worker that is killed or paused stops renewing, and the lease ends.

    When it has ended, the sessions that are in use under it are closed at once.
    """
    try:
        while not lease.fence.is_over and not done.wait(settings.LEASE_S / 3):
            _renew_or_warn(lease)
    except LaneLost as lost:
        logger.warning("%s", lost)
    finally:
        connection.close()
        if not done.is_set():
            lease.fence.cut()


def _renew_or_warn(lease: Lease) -> None:
    """While the database is away the lease runs on until its end. Raises `LaneLost`."""
    try:
        renew(lease)
    except DatabaseError as error:
        logger.warning("The lease of connection %s cannot be renewed: %s", lease.connection_id, error)
        connection.close()
