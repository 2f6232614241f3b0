"""How many lanes are worked on at once, and who comes next: no connection holds up another one."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as database
from django.db.models import QuerySet
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import push_service, tasks
from exports.delivery import drain
from exports.lanes import dispatch, leases, slots
from exports.models import ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.celery import app
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.servers.ports import free_port

DELIVERY, ACKS = Lane.Kind.DELIVERY, Lane.Kind.ACKS
Connect = Callable[..., ERPConnection]


@pytest.fixture
def connect(dropzone_root: Path) -> Connect:
    """A connection into a folder, one that has answered before unless it is `suspect`."""

    def connect(slug: str, name: str = "Folder", *, suspect: bool = False) -> ERPConnection:
        organization, _ = Organization.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
        (dropzone_root / slug / "in").mkdir(parents=True, exist_ok=True)
        row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
        config = {"mode": "filesystem", "export_path": "in"}
        connection = connection_service.save(row, ConnectionChanges(name=name, config=config), actor="test")
        for kind in Lane.Kind:
            Lane.objects.create(connection=connection, kind=kind, suspect=suspect)
        return connection

    return connect


def lane(connection: ERPConnection, kind: Lane.Kind = DELIVERY) -> Lane:
    return Lane.objects.get(connection=connection, kind=kind)


def is_given(connection: ERPConnection, kind: Lane.Kind = DELIVERY) -> bool:
    with leases.holding(connection.pk, kind) as lease:
        return lease is not None


def make_lost(*messages_to: ERPConnection) -> None:
    """Half a minute later, nobody has seen them."""
    long_ago = timezone.now() - timedelta(seconds=31)
    Lane.objects.filter(connection__in=messages_to).exclude(awake_since=None).update(awake_since=long_ago)


@pytest.mark.usefixtures("db")
def test_an_organization_has_so_many_lanes_at_once_and_others_have_theirs(
    connect: Connect, queue: list[UUID], settings: Any
) -> None:
    settings.LANES_PER_ORGANIZATION = 2
    first, second, third = (connect("acme", name) for name in ("One", "Two", "Three"))
    with leases.holding(first.pk, DELIVERY), leases.holding(second.pk, DELIVERY):
        assert not is_given(third)
        assert is_given(connect("globex"))
    assert queue == [third.pk]
    assert is_given(third)


@pytest.mark.usefixtures("db")
def test_polls_and_deliveries_take_no_place_from_each_other(connect: Connect, settings: Any) -> None:
    """ERPs that are silent when they are asked for answers keep no order waiting."""
    settings.LANES_PER_ORGANIZATION = settings.SUSPECT_LANES = 1
    silent, other = connect("acme", "Silent", suspect=True), connect("acme", "Other", suspect=True)
    with leases.holding(silent.pk, ACKS):
        assert not is_given(other, ACKS)
        assert is_given(other, DELIVERY)


@pytest.mark.usefixtures("db")
def test_servers_that_may_hang_have_few_places_between_them_and_take_none_from_others(
    connect: Connect, queue: list[UUID], settings: Any
) -> None:
    settings.SUSPECT_LANES = 1
    dead, other_dead = connect("acme", suspect=True), connect("globex", suspect=True)
    with leases.holding(dead.pk, DELIVERY):
        assert not is_given(other_dead)
        assert is_given(connect("initech"))
        assert queue == []
    assert queue == [other_dead.pk]


@pytest.mark.usefixtures("db")
def test_who_waited_longest_comes_next_also_before_one_that_comes_just_then(
    connect: Connect, queue: list[UUID], settings: Any
) -> None:
    settings.SUSPECT_LANES = 1
    holder, *waiting = (connect(slug, suspect=True) for slug in ("a", "b", "c", "d"))
    newcomer = connect("newcomer", suspect=True)
    with leases.holding(holder.pk, DELIVERY):
        assert not any(is_given(connection) for connection in waiting)
        # Asked again, it keeps its place in the line.
        assert not is_given(waiting[0])
    served = []
    assert not is_given(newcomer)
    while queue:
        served.append(queue.pop(0))
        with leases.holding(served[-1], DELIVERY) as lease:
            assert lease is not None
    assert served == [*(connection.pk for connection in waiting), newcomer.pk]
    assert not Lane.objects.exclude(waiting_since=None).exists()


@pytest.mark.usefixtures("db")
def test_a_lane_in_line_gets_no_message_for_what_is_pushed_onto_it(
    connect: Connect, make_order: MakeOrder, queue: list[UUID], settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.LANES_PER_ORGANIZATION = 1
    busy, waiting = connect("acme", "Busy"), connect("acme", "Waiting")
    with leases.holding(busy.pk, DELIVERY):
        assert not is_given(waiting)
        for _ in range(5):
            order = make_order(tenant=waiting.organization)
            with django_capture_on_commit_callbacks(execute=True):
                push_service.push(PushRequest(order=order, actor="ops", connection=waiting))
        make_lost(waiting)
        tasks.sweep()
        assert queue == []
    assert queue == [waiting.pk]
    drain.drain(waiting.pk)
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}


@pytest.mark.usefixtures("db")
def test_a_worker_that_is_killed_gives_its_place_back_when_its_lease_ends(
    connect: Connect, queue: list[UUID], settings: Any
) -> None:
    """F20."""
    settings.LANES_PER_ORGANIZATION = 1
    killed, waiting = connect("acme", "Killed"), connect("acme", "Waiting")
    moment = timezone.now()
    Lane.objects.filter(pk=lane(killed).pk).update(token=7, leased_until=moment + timedelta(seconds=30))
    assert not is_given(waiting)
    tasks.sweep()
    assert queue == []
    Lane.objects.filter(pk=lane(killed).pk).update(leased_until=moment - timedelta(seconds=1))
    tasks.sweep()
    assert queue == [waiting.pk]
    assert is_given(waiting)


@pytest.mark.usefixtures("db")
def test_a_call_that_is_lost_is_sent_again_by_the_sweep(connect: Connect, queue: list[UUID], settings: Any) -> None:
    """F22."""
    settings.LANES_PER_ORGANIZATION = 1
    busy, waiting = connect("acme", "Busy"), connect("acme", "Waiting")
    with leases.holding(busy.pk, DELIVERY):
        assert not is_given(waiting)
    tasks.sweep()
    assert queue == [waiting.pk]
    make_lost(waiting)
    tasks.sweep()
    assert queue == [waiting.pk] * 2


@pytest.mark.django_db(transaction=True)
def test_never_more_at_once_than_there_are_places_however_many_come(connect: Connect, settings: Any) -> None:
    settings.LANES_PER_ORGANIZATION, settings.SUSPECT_LANES, settings.CELERY_TASK_ALWAYS_EAGER = 3, 2, False
    app_queue: list[UUID] = []
    connections = [connect(slug, str(n), suspect=suspect) for n in range(6) for slug, suspect in GROUPS]
    inside, most, lock = {slug: 0 for slug, _ in GROUPS}, {slug: 0 for slug, _ in GROUPS}, threading.Lock()

    def work(connection: ERPConnection) -> bool:
        slug = connection.organization.slug
        try:
            with leases.holding(connection.pk, DELIVERY) as lease:
                if lease is None:
                    return False
                with lock:
                    inside[slug] += 1
                    most[slug] = max(most[slug], inside[slug])
                time.sleep(0.05)
                with lock:
                    inside[slug] -= 1
            return True
        finally:
            database.close()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(connections)) as threads:
        patch.setattr(app, "send_task", lambda _name, args: app_queue.append(UUID(args[0])))
        by_id = {connection.pk: connection for connection in connections}
        served = sum(threads.map(work, connections))
        while app_queue:
            batch, app_queue[:] = list(app_queue), []
            served += sum(threads.map(work, [by_id[pk] for pk in batch]))
    assert served >= len(connections)
    assert most["sound"] <= 3
    assert most["suspect"] <= 2
    assert not Lane.objects.exclude(waiting_since=None).exists()


GROUPS = (("sound", False), ("suspect", True))


@pytest.mark.usefixtures("folder")
@pytest.mark.django_db(transaction=True)
def test_a_connection_is_suspect_until_its_server_answers_and_after_it_did_not(
    connection: ERPConnection, make_order: MakeOrder
) -> None:
    def deliver() -> bool:
        push_service.push(PushRequest(order=make_order(), actor="ops"))
        drain.drain(connection.pk)
        return lane(connection).suspect

    assert lane_is_new(connection)
    assert not deliver()
    sftp = {"mode": "sftp", "host": "127.0.0.1", "port": free_port(), "username": "erp", "password": "secret"}
    connection_service.save(connection, ConnectionChanges(config=sftp, leave_acks=True), actor="test")
    assert deliver()
    assert "refused the connection" in lane(connection).last_error
    back = ConnectionChanges(config={"mode": "filesystem", "password": None}, leave_acks=True)
    connection_service.save(connection, back, actor="test")
    assert lane(connection).suspect
    assert connection_service.test(connection, actor="test").success
    assert not lane(connection).suspect


def lane_is_new(connection: ERPConnection) -> bool:
    created, _ = Lane.objects.get_or_create(connection=connection, kind=DELIVERY)
    return created.suspect


@pytest.mark.usefixtures("db")
def test_who_takes_more_than_anybodys_due_is_suspect_too(connect: Connect, settings: Any) -> None:
    """A server that drips gets everything done, in its own time."""
    settings.DELIVERY_SLICE_S = 0.01
    slow = connect("acme")
    with ExitStack() as stack:
        lease = stack.enter_context(leases.holding(slow.pk, DELIVERY))
        assert lease is not None
        leases.note(lease, None)
        time.sleep(0.03)
    assert lane(slow).suspect


@pytest.mark.usefixtures("db")
def test_a_turn_that_asked_the_server_for_nothing_says_nothing_of_it(connect: Connect) -> None:
    unknown = connect("acme", suspect=True)
    Lane.objects.filter(pk=lane(unknown).pk).update(last_error="It was away.")
    with leases.holding(unknown.pk, DELIVERY) as lease:
        assert lease is not None
    assert (lane(unknown).last_error, lane(unknown).suspect, lane(unknown).leased_until) == ("It was away.", True, None)


@pytest.mark.usefixtures("db")
def test_a_slot_that_is_given_back_as_a_lane_lines_up_is_had_at_once(
    connect: Connect, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would wait for the sweep: who gave it back saw nobody in the line."""
    settings.LANES_PER_ORGANIZATION = 1
    busy, waiting = connect("acme", "Busy"), connect("acme", "Waiting")
    line_up, holder = slots.line_up, ExitStack()
    holder.enter_context(leases.holding(busy.pk, DELIVERY))

    def line_up_too_late(late: QuerySet[Lane]) -> None:
        holder.close()
        line_up(late)

    monkeypatch.setattr(slots, "line_up", line_up_too_late)
    with leases.holding(waiting.pk, DELIVERY) as lease:
        assert lease is not None


@pytest.mark.usefixtures("db")
def test_a_lane_that_got_its_place_is_called_no_more_and_hears_of_new_work_at_once(
    connect: Connect, queue: list[UUID], settings: Any
) -> None:
    settings.LANES_PER_ORGANIZATION = 1
    busy, waiting = connect("acme", "Busy"), connect("acme", "Waiting")
    with leases.holding(busy.pk, DELIVERY):
        assert not is_given(waiting)
    assert is_given(waiting)
    assert (queue, lane(waiting).waiting_since) == ([waiting.pk], None)
    assert dispatch.wake(waiting.pk)
    assert queue == [waiting.pk] * 2


@pytest.mark.usefixtures("db")
def test_a_lane_that_was_woken_and_found_no_place_is_called_as_soon_as_there_is_one(
    connect: Connect, queue: list[UUID], settings: Any
) -> None:
    """Its wake-up has been heard: it neither waits for another to be lost nor takes a place while it stands in line."""
    settings.LANES_PER_ORGANIZATION = 2
    held, busy, waiting = (connect("acme", name) for name in ("Held", "Busy", "Waiting"))
    assert dispatch.wake(waiting.pk)
    with leases.holding(held.pk, DELIVERY):
        with leases.holding(busy.pk, DELIVERY):
            assert not is_given(waiting)
            assert lane(waiting).waiting_since is not None
        assert queue == [waiting.pk] * 2
        assert is_given(waiting)
