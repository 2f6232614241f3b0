"""A new encryption key for every connection, the rotation killed again and again, with orders on their way."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from connectors.connections import key_rotation
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from connectors.registry import registry
from exports import push_service
from exports.delivery import drain
from exports.models import ERPExport
from exports.models.status import ExportStatus
from exports.push_service import PushRequest
from orderflow.keys import fresh_keys
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from tests.bench.bench import ROOT, until
from tests.bench.results import Result, Table, exactly
from tests.support import rows
from tests.trials.runner import Torture

OF_AN_ORGANIZATION = 100
PUSHERS = 2
# However slowly a rotation starts, these are left to it.
UNEDITED = "[02468]$"
KILL_WITHIN_S = 300
ENDS_WITHIN_S = 600


def run(torture: Torture) -> Result:
    count, kills = torture.size(10_000, 200), torture.size(20, 2)
    chance = random.Random(torture.seed)
    made = _connections(count)
    rows.add_customers(made)
    rows.add_approved(made, torture.size(6_000, 500))
    _use_a_new_key()
    # Each connection is new, and nobody would call those that wait in line: there are no workers here.
    settings.SUSPECT_LANES = settings.LANES_PER_ORGANIZATION = PUSHERS
    load = Load(seed=torture.seed)
    with load.going_on():
        started = time.monotonic()
        done = [_killed(chance, kills - n) for n in range(kills)]
        _finish()
        took = time.monotonic() - started
    settings.ENCRYPTION_PREVIOUS_KEYS = []
    return _result(load, done, took)


def _connections(count: int) -> list[ERPConnection]:
    """Into a folder of their organization each, under the old key."""
    config = registry.create("DROPZONE_JSON_V1").clean_config({"mode": "filesystem", "export_path": "in"})
    made = []
    for n in range(0, count, OF_AN_ORGANIZATION):
        organization = Organization.objects.create(name=f"Tenant {n}", slug=f"tenant-{n}")
        (settings.DROPZONE_ROOT / organization.slug / "in").mkdir(parents=True)
        for way in range(OF_AN_ORGANIZATION):
            row = ERPConnection(organization=organization, name=f"Way {way}", connector_type="DROPZONE_JSON_V1")
            row.set_config(config)
            made.append(row)
    return ERPConnection.objects.bulk_create(made, batch_size=1000)


def _use_a_new_key() -> None:
    """In this process and in those that it starts."""
    old, new = settings.ENCRYPTION_MASTER_KEY, fresh_keys()["ENCRYPTION_MASTER_KEY"]
    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = new, [old]
    os.environ |= {"ENCRYPTION_MASTER_KEY": new, "ENCRYPTION_PREVIOUS_KEYS": old}


@contextmanager
def _rotating() -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, str(ROOT / "manage.py"), "rotate_encryption_key"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _killed(chance: random.Random, kills_left: int) -> int:
    """How many configs a rotation encrypted anew before it was killed; never the last ones, so that each is killed in
    the middle. Raises `TimeoutError`."""
    before, left = _rotated(), key_rotation.outdated(ERPConnection).filter(name__regex=UNEDITED).count()
    wanted = before + chance.randrange(1, max(2, left * 3 // 2 // (kills_left + 1)))
    with _rotating() as process:
        until(lambda: _rotated() >= min(wanted, _most()), within_s=KILL_WITHIN_S, every_s=0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "The rotation was at its end before it could be killed."
    return _rotated() - before


def _rotated() -> int:
    """Configs under the new key that no edit has brought there."""
    unedited = ERPConnection.objects.filter(name__regex=UNEDITED)
    return unedited.count() - key_rotation.outdated(ERPConnection).filter(name__regex=UNEDITED).count()


def _most() -> int:
    """Edits take configs out of the count while the rotation runs: so many of the others at the most."""
    unedited = ERPConnection.objects.filter(name__regex=UNEDITED).count()
    return unedited - max(1, unedited // 10)


def _finish() -> None:
    with _rotating() as process:
        code = process.wait(ENDS_WITHIN_S)
    assert code == 0, f"The last rotation ended with {code}: what it says stands above."


@dataclass(kw_only=True)
class Load:
    """Pushes, deliveries and edits, each over a connection that chance names."""

    seed: int
    failures: list[str] = field(default_factory=list)
    edits: dict[UUID, str] = field(default_factory=dict)
    _stop: Event = field(default_factory=Event)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        orders = list(DraftOrder.objects.select_related("organization"))
        shares = [iter(orders[n::PUSHERS]) for n in range(PUSHERS)]
        work = [*(self._pushing(share) for share in shares), self._edit]
        threads = [
            Thread(target=self._repeat, args=(each, random.Random(f"{self.seed} {n}"))) for n, each in enumerate(work)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _repeat(self, work: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self._stop.wait(0.02):
            try:
                work(chance)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                self.failures.append(repr(error))
        database.close()

    def _pushing(self, orders: Iterator[DraftOrder]) -> Callable[[random.Random], None]:
        def push(chance: random.Random) -> None:
            order = next(orders)
            connection = _any_of(order.organization, chance)
            push_service.push(PushRequest(order=order, actor="torture", connection=connection))
            drain.drain(connection.pk)

        return push

    def _edit(self, chance: random.Random) -> None:
        organization = chance.choice(list(Organization.objects.order_by("slug")))
        number, path = chance.randrange(1, OF_AN_ORGANIZATION, 2), f"acks-{chance.randrange(1000)}"
        connection = ERPConnection.objects.get(organization=organization, name=f"Way {number}")
        connection_service.save(
            connection, ConnectionChanges(config={"ack_path": path}, leave_acks=True), actor="torture"
        )
        self.edits[connection.pk] = path


def _any_of(organization: Organization, chance: random.Random) -> ERPConnection:
    return ERPConnection.objects.get(organization=organization, name=f"Way {chance.randrange(OF_AN_ORGANIZATION)}")


def _result(load: Load, done: Sequence[int], took_s: float) -> Result:
    exports = ERPExport.objects.all()
    undelivered = exports.exclude(status=ExportStatus.SENT).count()
    files = sum(1 for _ in Path(settings.DROPZONE_ROOT).glob("*/in/*"))
    undecryptable = list(key_rotation.unreadable(ERPConnection))
    stored = {row.pk: row.stored_config()["ack_path"] for row in ERPConnection.objects.filter(pk__in=load.edits)}
    lost_edits = sum(stored.get(pk) != path for pk, path in load.edits.items())
    facts = [
        ("connections", ERPConnection.objects.count()),
        ("pushes meanwhile", exports.count()),
        ("connections edited meanwhile", len(load.edits)),
        ("configs that nobody edits, encrypted anew by rotations that were killed", sum(done)),
        ("the fewest by one of them", min(done)),
        ("seconds, with all the starts", round(took_s)),
    ]
    for failure in load.failures[:10]:
        sys.stderr.write(f"{failure}\n")
    return Result(
        told=(
            f"rotate_encryption_key as a process, on {database.display_name}, killed with SIGKILL after a number of "
            f"configs that chance draws, then once to its end; beside it {PUSHERS} threads push and "
            "deliver into folders, and one edits. "
            "At the end only the new key is set."
        ),
        tables=[Table(title="What went on", columns=("", "count"), rows=[(name, f"{n:,}") for name, n in facts])],
        bars=[
            exactly("rotations killed in the middle", len(done), sum(n > 0 for n in done), "rotations"),
            exactly("configs that the new key does not open", 0, len(undecryptable), "configs"),
            exactly("configs left under the old key", 0, key_rotation.outdated(ERPConnection).count(), "configs"),
            exactly("pushes, deliveries and edits that failed", 0, len(load.failures) + undelivered, "failures"),
            exactly("edits that were lost", 0, lost_edits, "edits"),
            exactly("orders at the dropzones, for each push one", exports.count(), files, "files"),
        ],
    )
