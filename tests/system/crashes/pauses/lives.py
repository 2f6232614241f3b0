"""The processes of a pause: the worker that stops at a step, its successor, and one that looks when both are done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Line

from django.db import DatabaseError, connections
from django.test import override_settings

from connectors import failpoints
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConnectorError
from connectors.failpoints import Failpoint
from connectors.sftp.pool import sessions
from tests.system.crashes.jobs import act, connection_of, damage, mend, prepare, set_up
from tests.system.crashes.lives import drain_once, enter, retire, work
from tests.system.crashes.pauses.cases import Edit
from tests.system.crashes.scene import Scene, Seen
from tests.system.crashes.seen import look
from tests.system.crashes.table import Job

# Of the worker that stops, while it does its job.
STALE_LEASE_S = 0.6
# Of every process that is not meant to lose a lane.
LONG_LEASE_S = 60
# That many scenes may share a database, each with a connection that has never responded yet.
SCENES_AT_ONCE = 50


def stop(scene: Scene, again: Failpoint | None) -> None:
    """Stops at the step of the case; when it is continued, it finishes its job, and stops once more at `again`."""
    with _life(scene, LONG_LEASE_S):
        set_up(scene)
        prepare(scene)
        _arm(scene, again)
        with override_settings(LEASE_S=STALE_LEASE_S):
            act(scene)


def stop_after_a_death(scene: Scene, again: Failpoint | None) -> None:
    """As `stop`, in finding out what the death left."""
    with _life(scene, STALE_LEASE_S):
        if scene.case.row.job == Job.DRAIN_DAMAGED:
            damage(scene)
        _arm(scene, again)
        drain_once(scene)


def succeed(scene: Scene, edit: Edit, halfway: Failpoint | None) -> None:
    """After the edit, all that is due; stops at `halfway`."""
    with _life(scene, LONG_LEASE_S):
        _make(scene, edit)
        mend(scene)
        failpoints.arm(f"{halfway}:1:pause" if halfway else "")
        work(scene, reads_answers=scene.case.row.job == Job.POLL)


def settle(scene: Scene, line: "Line[Seen, None]") -> None:
    """What is left to do; tells what there is then."""
    with _life(scene, LONG_LEASE_S):
        work(scene, reads_answers=scene.case.row.job == Job.POLL)
        line.send(look(scene))
        retire(scene)


def _arm(scene: Scene, again: Failpoint | None) -> None:
    def continued(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        failpoints.arm(f"{again}:1:pause" if again else "")

    signal.signal(signal.SIGCONT, continued)
    failpoints.arm(f"{scene.case.row.point}:{scene.case.row.times}:pause")


@contextmanager
def _life(scene: Scene, lease_s: float) -> Iterator[None]:
    """A worker survives what one of its tasks raises for want of a server or a database."""
    enter(scene)
    with override_settings(LEASE_S=lease_s, SUSPECT_LANES=SCENES_AT_ONCE), suppress(ConnectorError, DatabaseError):
        yield
    sessions.close_all()
    connections.close_all()


def _make(scene: Scene, edit: Edit) -> None:
    changes = {
        Edit.RENAMED: ConnectionChanges(name="ERP, renamed"),
        Edit.FOLDER: ConnectionChanges(config={"export_path": str(scene.config["export_path"]) + "-2"}),
        Edit.PLACE: ConnectionChanges(
            config={"mode": "filesystem", "export_path": "in", "ack_path": "acks"}, leave_acks=True
        ),
    }
    if edit in changes:
        connection_service.save(connection_of(scene), changes[edit], actor="admin")
