"""Work that takes longer than a lease: it is renewed in time, so nobody takes the work over and it ends."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller
from exports.bulk import jobs
from exports.bulk.models import BulkJob
from exports.delivery import drain
from exports.lanes import leases
from exports.models import Lane
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import Meanwhile
from tests.support.exports.acks import answer, sent, states

# The keeper renews from a thread of its own.
pytestmark = pytest.mark.django_db(transaction=True)

LEASE_S = 2


def left_s(kind: str) -> float:
    """How long the lease would still hold if its holder died now."""
    until = Lane.objects.get(kind=kind).leased_until
    return (until - timezone.now()).total_seconds() if until else -1


def watched(kind: str, work: Callable[[], object], least: list[float]) -> Meanwhile:
    """An operation of the server that takes twice the lease, while others come for the lane again and again."""

    def act() -> None:
        try:
            end = time.monotonic() + 2 * LEASE_S
            while time.monotonic() < end:
                least.append(left_s(kind))
                work()
                time.sleep(0.05)
        finally:
            database.close()

    return Meanwhile(operations=frozenset({"open"}), act=act)


def test_a_delivery_that_takes_longer_than_its_lease_ends_where_it_began(push: Push, zone: Zone, settings: Any) -> None:
    """F20, F21: or it would be discarded and begun anew, perhaps for ever."""
    settings.LEASE_S = LEASE_S
    zone.edit(timeout_s=30)
    export = push()
    least: list[float] = []
    slow = watched("DELIVERY", lambda: drain.drain(zone.connection.pk), least)
    zone.faults.append(slow)
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("SENT", 1)
    assert f".t{Lane.objects.get(kind='DELIVERY').token}-1." in export.staged_path
    assert (slow.struck, slow.failed) == (1, [])
    # Renewed at a third of it, so that one renewal may be late.
    # And never for longer than a killed holder may keep others waiting.
    assert LEASE_S / 4 < min(least) <= max(least) < LEASE_S + 1
    assert [event.kind for event in export.events.all()] == ["REQUESTED", "STAGED", "SENT"]


def test_a_poll_that_takes_longer_than_its_lease_ends_where_it_began(push: Push, zone: Zone, settings: Any) -> None:
    """A16."""
    settings.LEASE_S = LEASE_S
    zone.edit(timeout_s=30)
    (export,) = sent(push, zone)
    answer(zone, export)
    least: list[float] = []
    slow = watched("ACKS", lambda: ack_poller.poll(zone.connection.pk), least)
    zone.faults.append(slow)
    assert ack_poller.poll(zone.connection.pk) == 1
    assert states() == {export.filename: "ACKED"}
    assert (slow.struck, slow.failed) == (1, [])
    assert LEASE_S / 4 < min(least) <= max(least) < LEASE_S + 1


def test_a_holder_that_lost_its_lane_does_not_renew_the_lease_of_the_next_one(
    zone: Zone, settings: Any, connection: ERPConnection
) -> None:
    """F21: by the token, not by the lane."""
    settings.LEASE_S = LEASE_S
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease is not None
        soon = timezone.now() + timedelta(seconds=1)
        Lane.objects.update(token=lease.token + 1, leased_until=soon)
        end = time.monotonic() + LEASE_S
        while time.monotonic() < end:
            assert Lane.objects.get(kind="DELIVERY").leased_until == soon
            time.sleep(0.05)
        with pytest.raises(leases.LaneLost, match=str(connection.pk)):
            leases.renew(lease)
    # Nor does it give back what is not its own.
    assert Lane.objects.get(kind="DELIVERY").leased_until == soon


def test_each_portion_of_a_bulk_job_renews_its_lease(
    make_order: MakeOrder, connection: ERPConnection, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PORTION", 1)
    orders = [make_order() for _ in range(3)]
    job = jobs.ask(organization, BulkJob.Kind.PUSH, [order.pk for order in orders], actor="ops")
    taken = jobs._take(job.pk)
    assert taken
    for _ in range(2):
        BulkJob.objects.update(leased_until=timezone.now() + timedelta(seconds=1))
        assert jobs._portion(taken)
        until = BulkJob.objects.get().leased_until
        assert until is not None
        assert (until - timezone.now()).total_seconds() > jobs.LEASE_S / 2
