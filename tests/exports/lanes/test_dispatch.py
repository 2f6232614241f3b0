"""A wake-up is one message; none of them may be lost on a lane that is held."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db.models import QuerySet
from kombu import Connection

from connectors.models import ERPConnection
from exports import push_service
from exports.delivery import drain
from exports.lanes import dispatch, leases
from exports.models import ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.celery import app
from orderflow.orders.models import DraftOrder
from tests.conftest import MakeOrder
from tests.exports.conftest import Push

KINDS = (Lane.Kind.DELIVERY, Lane.Kind.ACKS)


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The queues' folder."""
    url = f"embedded://{tmp_path / 'broker'}"
    original = app.send_task

    def send(name: str, args: list[str]) -> Any:
        with Connection(url) as connection:
            return original(name, args=args, connection=connection)

    monkeypatch.setattr(app, "send_task", send)
    return tmp_path / "broker" / "queues"


def count(messages: Path) -> int:
    return len(list(messages.glob("*/*.json")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_that_is_awake_gets_no_further_message(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    assert [dispatch.wake(connection.pk, kind) for _ in range(3)] == [True, False, False]
    assert count(messages) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_wake_up_that_found_the_lane_held_comes_again_when_it_is_free(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    with leases.holding(connection.pk, kind):
        dispatch.wake(connection.pk, kind)
        with leases.holding(connection.pk, kind) as second:
            assert second is None
        assert count(messages) == 1
    assert count(messages) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_wake_up_that_is_still_on_its_way_is_not_sent_again(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    """Or a lane with many pushes would get more turns than others."""
    with leases.holding(connection.pk, kind):
        dispatch.wake(connection.pk, kind)
    assert count(messages) == 1
    with leases.holding(connection.pk, kind):
        pass
    assert count(messages) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_wake_up_that_the_broker_did_not_take_is_not_waited_for(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    """F22: nothing is on its way, so that the next sweep has to send one."""
    broker = messages.parent
    broker.write_text("no folder")
    assert not dispatch.wake(connection.pk, kind)
    broker.unlink()
    assert dispatch.wake(connection.pk, kind)
    assert count(messages) == 1


def test_a_hundred_pushes_onto_a_busy_lane_send_two_messages_at_most(
    connection: ERPConnection,
    make_order: MakeOrder,
    messages: Path,
    django_capture_on_commit_callbacks: Any,
    settings: Any,
) -> None:
    # Nobody renews it here: the keeper does not see what this test has not committed.
    settings.LEASE_S = 600
    template = make_order()
    orders = [DraftOrder(**_copied(template), external_order_number=f"Bulk {number}") for number in range(100)]
    DraftOrder.objects.bulk_create(orders)
    with leases.holding(connection.pk, Lane.Kind.DELIVERY):
        for order in orders:
            with django_capture_on_commit_callbacks(execute=True):
                push_service.push(PushRequest(order=order, actor="ops", connection=connection))
        drain.drain(connection.pk)
    assert ERPExport.objects.filter(status="PENDING").count() == 100
    assert count(messages) == 2


def _copied(order: DraftOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in ("organization", "customer", "currency", "status", "approved_at")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_that_nobody_woke_meanwhile_is_left_asleep(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    with leases.holding(connection.pk, kind):
        pass
    assert count(messages) == 0
    assert dispatch.wake(connection.pk, kind)


def test_a_wake_up_that_arrives_as_the_holder_leaves_gets_the_lane(
    connection: ERPConnection, push: Push, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or its work would wait for the sweep: the holder has looked for the last time, and nobody tells it any more."""
    export = push()
    take, holder = leases._take, ExitStack()
    holder.enter_context(leases.holding(connection.pk, Lane.Kind.DELIVERY))

    def take_as_the_holder_leaves(of_connection: QuerySet[Lane]) -> leases.Lease | None:
        lease = take(of_connection)
        holder.close()
        return lease

    monkeypatch.setattr(leases, "_take", take_as_the_holder_leaves)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "SENT"


def test_a_wake_up_that_the_broker_did_not_take_leaves_other_lanes_awake(
    connection: ERPConnection, messages: Path
) -> None:
    """F22."""
    for kind in KINDS:
        assert dispatch.wake(connection.pk, kind)
    Lane.objects.filter(kind=Lane.Kind.ACKS).update(awake_since=None)
    broker = messages.parent
    broker.rename(broker.with_name("away"))
    broker.write_text("no folder")
    assert not dispatch.wake(connection.pk, Lane.Kind.ACKS)
    assert Lane.objects.get(kind=Lane.Kind.DELIVERY).awake_since is not None
    assert Lane.objects.get(kind=Lane.Kind.ACKS).awake_since is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_wake_up_that_a_killed_holder_missed_is_the_next_holders(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    """It looks for the work itself, and needs no further turn."""
    Lane.objects.create(connection=connection, kind=kind, wake_missed=True)
    with leases.holding(connection.pk, kind) as lease:
        assert lease is not None
    assert count(messages) == 0
