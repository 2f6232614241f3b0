"""The processes of a case: one that dies, one that dies finding out about it, one that makes all good."""

import time
from contextlib import closing, suppress
from datetime import timedelta
from multiprocessing.connection import Connection as Line
from queue import Empty

from django.db import connections
from django.db.models import F
from django.test import override_settings
from kombu import Connection as Broker

from connectors import failpoints
from connectors.models import ERPConnection
from connectors.sftp.pool import sessions
from exports import ack_poller, tasks
from exports.delivery import drain
from exports.models import ERPExport, Lane
from orderflow.celery import app
from tests.system.crashes.erp import ORPHAN, answer_all
from tests.system.crashes.jobs import act, connection_of, damage, filenames, mend, prepare, set_up
from tests.system.crashes.scene import Scene, Seen
from tests.system.crashes.seen import look
from tests.system.crashes.table import ERP, Job

LEASE_S = 0.2
RECOVERS_WITHIN_S = 20
BEATS_EVERY_S = 0.05


def die(scene: Scene) -> None:
    """At the step; or at the earlier one that the step comes after."""
    enter(scene)
    set_up(scene)
    prepare(scene)
    row = scene.case.row
    failpoints.arm(row.after or f"{row.point}:{row.times}")
    act(scene)


def die_again(scene: Scene) -> None:
    """At the step, in finding out what the first death left."""
    enter(scene)
    if scene.case.row.job == Job.DRAIN_DAMAGED:
        damage(scene)
    failpoints.arm(f"{scene.case.row.point}:{scene.case.row.times}")
    work(scene, reads_answers=False)


def recover(scene: Scene, line: "Line[Seen, None]") -> None:
    """Tells what was left, makes all good as beat and a worker do, and tells what there is then."""
    enter(scene)
    line.send(look(scene))
    mend(scene)
    if scene.case.erp == ERP.REPEATING:
        answer_all(scene.dropzone, filenames(scene))
    if scene.case.erp == ERP.ANSWERING:
        ack_poller.poll(connection_of(scene).pk)
    work(scene, reads_answers=scene.case.row.job == Job.POLL or scene.case.erp == ERP.ANSWERING)
    line.send(look(scene))
    retire(scene)
    sessions.close_all()
    connections.close_all()


def enter(scene: Scene) -> None:
    """The settings of this scene, in a process that was forked with those of all."""
    connections.settings["default"] = dict(scene.database)
    with suppress(AttributeError):
        del connections["default"]
    app.conf.update(broker_url=scene.broker)
    override_settings(
        DROPZONE_ROOT=scene.folder / "dropzones",
        STORAGES={
            "exports": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": str(scene.storage), "allow_overwrite": True},
            }
        },
        LEASE_S=LEASE_S,
        LANES_PER_ORGANIZATION=1,
        DELIVERY_BATCH_SIZE=2,
        DELIVERY_SLICE_S=0 if scene.case.row.job == Job.DRAIN_ONE_TURN else 10,
        ACK_POLL_INTERVAL_S=0,
        ACK_POLL_IDLE_INTERVAL_S=0,
    ).enable()


def work(scene: Scene, *, reads_answers: bool) -> None:
    """Beat and a worker, until nothing is left to do, or for as long as is reasonable."""
    end = time.monotonic() + RECOVERS_WITHIN_S
    while time.monotonic() < end and not (_is_delivered(scene) and not (reads_answers and _answers_left(scene))):
        _let_time_pass(scene)
        tasks.sweep()
        tasks.store_copies()
        if reads_answers:
            tasks.poll_due()
        _heed_wake_ups(scene)
        time.sleep(BEATS_EVERY_S)


def drain_once(scene: Scene) -> None:
    """As soon as the lease of a dead worker has ended."""
    time.sleep(LEASE_S)
    _let_time_pass(scene)
    drain.drain(connection_of(scene).pk)


def _let_time_pass(scene: Scene) -> None:
    """A minute and more, but for the leases: those end by themselves."""
    exports = ERPExport.objects.filter(organization__slug=scene.slug)
    exports.update(next_attempt_at=None)
    exports.filter(storage_key="").update(sent_at=F("sent_at") - timedelta(minutes=2))
    Lane.objects.filter(connection__organization__slug=scene.slug).update(
        awake_since=F("awake_since") - timedelta(minutes=2)
    )


def _heed_wake_ups(scene: Scene) -> None:
    with Broker(scene.broker) as broker:
        for name in [queue.name for queue in app.conf.task_queues]:
            with closing(broker.SimpleQueue(name)) as queue, suppress(Empty):
                while True:
                    message = queue.get_nowait()
                    message.ack()
                    app.tasks[message.headers["task"]](*message.payload[0])


def _is_delivered(scene: Scene) -> bool:
    exports = ERPExport.objects.filter(organization__slug=scene.slug)
    without_copy = exports.exclude(status="FAILED").filter(storage_key="")
    return not (exports.filter(status="PENDING").exists() or without_copy.exists())


def _answers_left(scene: Scene) -> set[str]:
    return {path.name for path in (scene.dropzone / "acks").iterdir() if path.is_file()} - {ORPHAN}


def retire(scene: Scene) -> None:
    """Another scene's beat has nothing to look for here."""
    ERPConnection.objects.filter(organization__slug=scene.slug).update(status=ERPConnection.Status.DISABLED)
    ERPExport.objects.filter(organization__slug=scene.slug).update(answer_due_at=None)
