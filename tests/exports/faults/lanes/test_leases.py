"""A lease and a server that takes its time: renewed while it is held, and no longer used once it is lost."""

import threading
import time
from typing import Any

import pytest
from django.db import OperationalError, connections

from exports.lanes import leases
from exports.models import ERPExport, Lane
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import Dawdles, Freezes


@pytest.mark.django_db(transaction=True)
def test_a_session_is_cut_as_soon_as_the_lease_is_known_to_be_lost(push: Push, zone: Zone, settings: Any) -> None:
    """F30: the worker waits for a server, and would go on as soon as that answers."""
    settings.LEASE_S = 0.9
    zone.edit(timeout_s=60)
    push()
    freezes = Freezes(operations=frozenset({"write"}), at_most=1)
    zone.faults.append(freezes)

    def drain_and_hang_up() -> None:
        try:
            zone.drain()
        finally:
            connections.close_all()

    drain = threading.Thread(target=drain_and_hang_up)
    drain.start()
    while not freezes.struck:
        time.sleep(0.01)
    Lane.objects.update(token=99)
    drain.join(20)
    assert not drain.is_alive()
    assert ERPExport.objects.get().status == "PENDING"


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_as_long_as_the_work_takes(push: Push, zone: Zone, settings: Any) -> None:
    settings.LEASE_S = 0.6
    zone.edit(timeout_s=60)
    export = push()
    zone.faults.append(Dawdles(operations=frozenset({"write"}), seconds=2))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("SENT", 1)
    assert f".t{Lane.objects.get(kind='DELIVERY').token}-1." in export.staged_path


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_could_not_be_renewed_in_time_is_cut(
    zone: Zone, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: the database is away, so that nothing tells whether there is a successor."""
    settings.LEASE_S = 0.6

    def fail(_lease: leases.Lease) -> None:
        raise OperationalError("The database is away.")

    monkeypatch.setattr(leases, "renew", fail)
    cut = threading.Event()
    with leases.holding(zone.connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease
        with lease.fence.guarding(cut.set):
            assert cut.wait(20)


@pytest.mark.django_db(transaction=True)
def test_a_renewal_that_failed_once_is_repeated(zone: Zone, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """F24."""
    settings.LEASE_S = 6
    real, failures, renewed = leases.renew, [OperationalError("The database is busy.")], threading.Event()

    def fail_once(lease: leases.Lease) -> None:
        if failures:
            raise failures.pop()
        real(lease)
        renewed.set()

    monkeypatch.setattr(leases, "renew", fail_once)
    with leases.holding(zone.connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease
        assert renewed.wait(20)
        assert not lease.fence.is_over
