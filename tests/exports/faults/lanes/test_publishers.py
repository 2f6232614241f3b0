"""What happens at the wrong moment: another worker, an edit, a clock that jumps. Only the lease is the fence."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.utils import timezone

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from exports.lanes import leases
from exports.models import ERPExport, Lane
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import Fails, Meanwhile, Overwrites, TakesFiles

# Other threads work on the same rows.
pytestmark = pytest.mark.django_db(transaction=True)

Happens = Callable[[str, Callable[[], object]], Meanwhile]


@pytest.fixture
def happens(zone: Zone) -> Iterator[Happens]:
    """`act` in the moment that the server is about to carry the operation out, once."""
    acts: list[Meanwhile] = []

    def happens(operation: str, act: Callable[[], object]) -> Meanwhile:
        def act_apart() -> None:
            try:
                act()
            finally:
                database.close()

        acts.append(Meanwhile(operations=frozenset({operation}), act=act_apart))
        zone.faults.append(acts[-1])
        return acts[-1]

    yield happens
    assert [error for act in acts for error in act.failed] == []
    assert all(act.struck == 1 for act in acts)


def frozen_out(zone: Zone) -> None:
    """The first worker does not renew its lease any more, as if it stood still; a second one does all the work."""
    Lane.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    zone.drain()


@pytest.mark.parametrize("operation", ["open", "write", "close", "rename"])
@pytest.mark.parametrize("erp_is_quick", [True, False])
def test_two_publishers_at_once_deliver_one_file(
    operation: str, erp_is_quick: bool, push: Push, zone: Zone, happens: Happens
) -> None:
    """F6, F21: even where a plain rename overwrites."""
    exports = [push() for _ in range(3)]
    erp = TakesFiles(share=int(erp_is_quick))
    zone.faults.extend([Overwrites(), erp])
    happens(operation, lambda: frozen_out(zone))
    zone.drain()
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}
    final = Counter({name: 1 for name in zone.names if name.endswith(".json")})
    assert erp.taken + final == Counter(export.filename for export in exports)
    assert Lane.objects.get(kind="DELIVERY").token >= 2
    for export in exports:
        assert [event.kind for event in export.events.all()].count("SENT") == 1


@pytest.mark.parametrize("change", [{"status": "DISABLED"}, {"config": {"export_path": "/elsewhere"}}], ids=str)
def test_a_connection_that_is_edited_while_its_batch_is_staged_publishes_nothing_the_old_way(
    change: dict[str, Any], push: Push, zone: Zone, happens: Happens
) -> None:
    """F26."""
    export = push()
    (zone.server.root / "elsewhere").mkdir()
    happens("close", lambda: connection_service.save(zone.connection, ConnectionChanges(**change), actor="test"))
    zone.drain()
    export.refresh_from_db()
    assert zone.names == []
    elsewhere = [path.name for path in (zone.server.root / "elsewhere").iterdir()]
    if "status" in change:
        assert (export.status, elsewhere) == ("PENDING", [])
    else:
        assert (export.status, elsewhere) == ("SENT", [export.filename])


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)], ids=str)
@pytest.mark.parametrize("operation", ["open", "close", "rename"])
def test_a_clock_that_jumps_in_the_middle_of_a_delivery_changes_nothing(
    jump: timedelta, operation: str, push: Push, zone: Zone, happens: Happens
) -> None:
    """F28: deadlines go by the clock that never jumps, leases by the database's."""
    export = push()
    traveller = time_machine.travel(timezone.now() + jump)
    happens(operation, traveller.start)
    try:
        zone.drain()
    finally:
        traveller.stop()
    export.refresh_from_db()
    assert (export.status, export.tries, zone.names) == ("SENT", 1, [export.filename])


@pytest.mark.parametrize("skew", [timedelta(days=1), timedelta(days=-1)], ids=str)
def test_a_worker_whose_clock_is_wrong_neither_takes_a_lane_nor_loses_one(
    skew: timedelta, push: Push, zone: Zone
) -> None:
    """F28."""
    push()
    with leases.holding(zone.connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease is not None
        with time_machine.travel(timezone.now() + skew):
            zone.drain()
            assert zone.names == []
            leases.renew(lease)
    with time_machine.travel(timezone.now() + skew):
        zone.drain()
    assert len(zone.names) == 1


@pytest.mark.parametrize("skew", [timedelta(hours=-1), timedelta(hours=1)], ids=str)
def test_a_worker_whose_clock_is_wrong_keeps_to_the_schedule(skew: timedelta, push: Push, zone: Zone) -> None:
    """F28: or an hour back would use all tries up at once, and an hour ahead wait that long."""
    export = push()
    zone.faults.append(Fails(operations=frozenset({"open"})))
    with time_machine.travel(timezone.now() + skew):
        for _ in range(3):
            zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", 1)
    assert export.next_attempt_at is not None
    assert 5 < (export.next_attempt_at - timezone.now()).total_seconds() < 12

    ERPExport.objects.update(tries=0, next_attempt_at=None)
    for _ in range(3):
        with time_machine.travel(timezone.now() + skew):
            zone.drain()
        ERPExport.objects.update(next_attempt_at=None)
    zone.connection.refresh_from_db()
    assert zone.connection.paused_until is not None
    assert 50 < (zone.connection.paused_until - timezone.now()).total_seconds() < 61
    assert not health.usable().exists()
