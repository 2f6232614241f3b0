"""A lease and a server that takes its time: renewed while it is held, and no longer used once it is lost."""

import threading
import time
from typing import Any

import pytest

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
    drain = threading.Thread(target=zone.drain)
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
