"""Workers that deliver while they are paused, or while the network between them and their servers is split."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connections
from django.db.models.functions import Now

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.bulk import push as bulk_push
from exports.bulk.push import BulkPush
from exports.models import ERPExport, Lane
from exports.models.status import LIVE
from orderflow.celery import app
from orderflow.orders.models import Customer
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.bench.bench import until
from tests.exports.conftest import connect_to
from tests.servers.proxies.delay_proxy import delay_proxy
from tests.servers.proxies.split_proxy import SplitProxy, split_proxy
from tests.servers.sftp import every
from tests.support.installation import Installation
from tests.support.processes import family
from tests.system.crashes.erp import StandInERP
from tests.trials.interrupted.ends import end_of
from tests.trials.interrupted.legs import LOCAL, Disturbance, End, Leg
from tests.trials.pushes import approved

WORKERS = ("worker-1", "worker-2")
# So that a batch is on its way for some time: a pause shall meet it there.
ROUND_TRIP_S = 0.15
STARTS_WITHIN_S = 90
SETTLED_WITHIN_S = 90
LOOKS_EVERY_S = 0.5
AT_WORK_WITHIN_S = 10
# About what a batch takes.
WORK_S = 1.5
# From the first temporary file on: until the responses to the first requests are there; and the time in which further
# files are opened, written and journaled, so that what a former holder still sends would do harm.
FIRST_S = (0.0, 0.08)
STAGING_S = (0.1, 0.5)
STAGES_WITHIN_S = 5
LEASES = (0.5, 3.0)
WAKES_EVERY_S = 0.3
AIMED = 0.85
# In which moment of a delivery a disturbance begins: before its first request, while it stages files, at any time.
CLAIMED, STAGES, ANY = "claimed", "stages", "any"
MOMENTS = (CLAIMED, STAGES, STAGES, STAGES, ANY)
# From the claim of the lane to the first request over a kept session, about.
CLAIM_S = 0.02
LOG_TOLD = 4000


@dataclass(kw_only=True)
class Scene:
    leg: Leg
    dice: random.Random
    installation: Installation
    connection: ERPConnection
    proxy: SplitProxy | None
    erp: StandInERP
    while_held: int = 0
    taken_over: int = 0
    late: int = 0
    edits: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))


def play(leg: Leg, folder: Path, dice: random.Random) -> End:
    """Raises what goes wrong, after it has shown the ends of the processes' logs."""
    with _scene(leg, folder, dice) as scene, scene.erp.watching():
        orders = [order.pk for order in approved(scene.connection, leg.orders)]
        try:
            _push(scene, orders[:1])
            until(lambda: not _is_live(), within_s=STARTS_WITHIN_S, every_s=LOOKS_EVERY_S)
            orders = orders[1:]
            for turn in range(leg.times):
                _push(scene, orders[turn :: leg.times])
                _disturb(scene)
            _settle(scene)
        except Exception:
            _tell_logs(scene)
            raise
    scene.erp.take()
    end = end_of(scene.erp, times=leg.times, while_held=scene.while_held, taken_over=scene.taken_over, late=scene.late)
    if end.lost or end.contradicted:
        _tell_logs(scene)
    return end


@contextmanager
def _scene(leg: Leg, folder: Path, dice: random.Random) -> Iterator[Scene]:
    with ExitStack() as stack:
        database = {}
        proxy = None
        if leg.disturbance == Disturbance.DATABASE_SPLIT:
            port = urlsplit(settings.DATABASE_URL).port
            proxy = stack.enter_context(split_proxy(int(port or 0)))
            database["DATABASE_URL"] = settings.DATABASE_URL.replace(f":{port}/", f":{proxy.port}/")
        organization = Organization.objects.create(name="Acme", slug="acme")
        Customer.objects.create(organization=organization, erp_customer_number="TOMSP", name="Toms Spezialitäten")
        if leg.place == LOCAL:
            root = Path(settings.DROPZONE_ROOT) / organization.slug
            _make_folders(root)
            connection = _connected_to_folder(organization)
        else:
            server = stack.enter_context(every.start(leg.place, folder / "server"))
            root = server.root
            _make_folders(root)
            server.port = stack.enter_context(delay_proxy(server.port, ROUND_TRIP_S)).port
            if leg.disturbance == Disturbance.SPLIT:
                proxy = stack.enter_context(split_proxy(server.port))
                server.port = proxy.port
            connection = connect_to(server, organization, timeout_s=leg.timeout_s)
        of_leg = {"DATA_DIR": str(settings.DATA_DIR), "LEASE_S": str(leg.lease_s), "DELIVERY_BATCH_SIZE": "500"}
        installation = Installation(folder=folder / "site", settings=of_leg | database)
        installation.folder.mkdir()
        stack.callback(installation.stop)
        for name in (*WORKERS, "beat"):
            installation.start(name)
        erp = StandInERP(dropzone=root, answers=True, others=[root / "in-2"])
        yield Scene(leg=leg, dice=dice, installation=installation, connection=connection, proxy=proxy, erp=erp)


def _make_folders(root: Path) -> None:
    for name in ("in", "in-2", "acks"):
        (root / name).mkdir(parents=True)


def _connected_to_folder(organization: Organization) -> ERPConnection:
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    return connection_service.save(
        row, ConnectionChanges(name="Folder", is_default=True, config=config), actor="torture"
    )


def _push(scene: Scene, orders: Sequence[UUID]) -> None:
    connection = ERPConnection.objects.select_related("organization").get(pk=scene.connection.pk)
    bulk = BulkPush(
        organization=connection.organization, actor="torture", source=OrderStatus.APPROVED, connection=connection
    )
    refused = [outcome.refusal for outcome in bulk_push.push_each(bulk, orders) if outcome.refusal]
    if refused:
        raise RuntimeError(f"{len(refused)} pushes were refused: {refused[0]}")


def _disturb(scene: Scene) -> None:
    """For a part of a lease, or for some leases. The worst moment is before the first request: a former holder that
    resumes then opens files anew which its successor has staged."""
    with suppress(TimeoutError):
        until(_is_at_work, within_s=AT_WORK_WITHIN_S, every_s=0.001)
        _until_moment(scene, scene.dice.choice(MOMENTS))
    with ExitStack() as over:
        _begin(scene, over)
        scene.while_held += _is_at_work()
        changing = _change(scene) if scene.leg.edits else None
        token = _token()
        with _wake_ups(scene):
            _wait(scene)
        scene.taken_over += _token() != token
    if changing:
        changing.result()


def _begin(scene: Scene, over: ExitStack) -> None:
    """Leaves to `over` what ends it."""
    if scene.proxy:
        # For everybody; or for the one worker at work, while the other reaches the server.
        everybody = scene.leg.disturbance == Disturbance.DATABASE_SPLIT or scene.dice.random() < 0.5
        scene.proxy.split(everybody=everybody)
        if not everybody:
            # What it sends until it stops arrives when the network heals, before it resumes.
            time.sleep(scene.dice.uniform(*FIRST_S))
            over.callback(_pause(scene, [scene.dice.choice(WORKERS)]))
        over.callback(_heal, scene)
    else:
        over.callback(_pause(scene, scene.dice.choice([[WORKERS[0]], [WORKERS[1]], [*WORKERS]])))


@contextmanager
def _wake_ups(scene: Scene) -> Iterator[None]:
    """As pushes that go on send them: a successor takes the lane over soon after the lease has ended."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(WAKES_EVERY_S):
            app.send_task("exports.tasks.drain_lane", args=[str(scene.connection.pk)])

    sender = threading.Thread(target=send, name="wake-ups")
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def _heal(scene: Scene) -> None:
    assert scene.proxy
    scene.late += scene.proxy.heal()


def _wait(scene: Scene) -> None:
    """Mostly until a successor is at work, which the first worker shall meet there."""
    at_least, at_most = (leases * scene.leg.lease_s for leases in LEASES)
    if scene.dice.random() < AIMED:
        with suppress(TimeoutError):
            _until_successor(scene, at_most)
    else:
        time.sleep(scene.dice.uniform(at_least, at_most))


def _until_successor(scene: Scene, within_s: float) -> None:
    """Raises `TimeoutError`."""
    token = _token()
    until(lambda: _token() != token, within_s=within_s, every_s=0.002)
    _until_it_stages(scene, STAGING_S)


def _until_moment(scene: Scene, moment: str) -> None:
    """Raises `TimeoutError`."""
    if moment == CLAIMED:
        time.sleep(scene.dice.uniform(0, CLAIM_S))
    elif moment == STAGES:
        _until_it_stages(scene, FIRST_S)
    else:
        time.sleep(scene.dice.uniform(0, WORK_S))


def _until_it_stages(scene: Scene, then_s: tuple[float, float]) -> None:
    """Until a temporary file is written, and at least and at most `then_s` longer. Raises `TimeoutError`."""
    before = _staged(scene)
    until(lambda: not _staged(scene) <= before, within_s=STAGES_WITHIN_S, every_s=0.001)
    time.sleep(scene.dice.uniform(*then_s))


def _staged(scene: Scene) -> set[tuple[str, int]]:
    """Temporary files, each with the time of its last change."""
    found = set()
    for path in chain.from_iterable(inbox.glob("*.tmp") for inbox in (scene.erp.dropzone / "in", *scene.erp.others)):
        with suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def _token() -> int:
    return Lane.objects.filter(kind=Lane.Kind.DELIVERY).values_list("token", flat=True).first() or 0


def _is_at_work() -> bool:
    return Lane.objects.filter(kind=Lane.Kind.DELIVERY, leased_until__gte=Now()).exists()


def _pause(scene: Scene, names: Sequence[str]) -> Callable[[], None]:
    """Workers with their children; where none is left, the lane's lease ends with nobody there to take it over."""
    stopped = [family(scene.installation.processes[name].pid) for name in names]
    scene.dice.shuffle(stopped)
    for process in chain.from_iterable(stopped):
        _signal(process, signal.SIGSTOP)

    def resume() -> None:
        for number, processes in enumerate(stopped):
            if number:
                with suppress(TimeoutError):
                    _until_successor(scene, scene.leg.lease_s)
            for process in processes:
                _signal(process, signal.SIGCONT)

    return resume


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _change(scene: Scene) -> Future[None]:
    """The connection's name, its export path or its timeout; in a thread, for a stopped worker may hold a lock."""
    changes = scene.dice.choice(
        [
            ConnectionChanges(name=f"Way {scene.dice.randrange(10**6)}"),
            ConnectionChanges(config={"export_path": scene.dice.choice(["in", "in-2"])}),
            ConnectionChanges(config={"timeout_s": scene.leg.timeout_s - scene.dice.randrange(1, 4)}),
        ]
    )

    def change() -> None:
        try:
            # SQLite's lock is the stopped worker's for longer than an edit waits.
            with suppress(OperationalError):
                connection_service.save(ERPConnection.objects.get(pk=scene.connection.pk), changes, actor="torture")
        finally:
            connections.close_all()

    return scene.edits.submit(change)


def _settle(scene: Scene) -> None:
    """Until every export has its answer, as soon as a person would have it who resumes the connection."""
    end = time.monotonic() + SETTLED_WITHIN_S + 3 * scene.leg.lease_s
    while _is_live() and time.monotonic() < end:
        with suppress(OperationalError):
            ERPExport.objects.filter(status="PENDING").update(next_attempt_at=None)
            health.resume(scene.connection.pk, actor="torture", cause="The trial waits for it.")
        time.sleep(LOOKS_EVERY_S)


def _is_live() -> bool:
    return ERPExport.objects.filter(status__in=LIVE).exists()


def _tell_logs(scene: Scene) -> None:
    for log in sorted(scene.installation.folder.glob("*.log")):
        sys.stderr.write(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-LOG_TOLD:]}\n")
