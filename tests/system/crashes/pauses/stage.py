"""Where pauses are played: a worker that is really stopped, a successor, and the first one continued."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from secrets import token_hex
from typing import Any

from tests.system.crashes.erp import StandInERP, answer_anew
from tests.system.crashes.lives import die
from tests.system.crashes.pauses.cases import UNCOMMITTED, PauseCase
from tests.system.crashes.pauses.judge import PauseEvidence, wrongs
from tests.system.crashes.pauses.lives import STALE_LEASE_S, settle, stop, stop_after_a_death, succeed
from tests.system.crashes.scene import Scene, Seen, scene
from tests.system.crashes.stage import (
    ENDS_WITHIN_S,
    NotAsPlanned,
    NotReached,
    Stage,
    answers_in,
    ended,
    files,
    killed,
    processes,
    repeated,
    told,
)
from tests.system.crashes.table import ERP

# For a successor to finish, or come halfway. It may have to wait for a transaction of the stopped worker: always at
# steps inside of one, and by chance on SQLite, where the thread that renews the lease may have been writing.
WAITS_S = 6.0
WAITS_FOR_COMMIT_S = 0.5
LOOKS_EVERY_S = 0.01


def play(stage: Stage, case: PauseCase) -> list[str]:
    """What is wrong with how it ended, in words; nothing when every order arrived once and is known to have.

    A case whose situation does not arise is played again. On a loaded machine the first worker may lose its short lease
    before it comes to the step. On SQLite it may be stopped while its lease is being renewed: the successor waits for
    that transaction and moves nothing that an ERP could repeat. A successor that is stopped halfway may hold that
    transaction in turn: then the first worker does not end. A worker that never ends fails each time.
    """
    return repeated(lambda: _play(stage, case))


def _play(stage: Stage, case: PauseCase) -> list[str]:
    slug = f"scene-{token_hex(4)}"
    server, folder = stage.servers[case.case.server], stage.folder / slug
    own = scene(case.case, server=server, database=stage.database, folder=folder, slug=slug)
    erp = StandInERP(dropzone=own.dropzone, others=_other_inboxes(own))
    return list(wrongs(case, _played(case, own, erp)))


def _other_inboxes(scene: Scene) -> list[Path]:
    """Where an edit may send the orders instead: another folder, or a folder of this machine."""
    elsewhere = scene.folder / "dropzones" / scene.slug
    for folder in (scene.dropzone / "in-2", elsewhere / "in", elsewhere / "acks"):
        folder.mkdir(parents=True, exist_ok=True)
    return [inbox for inbox in (scene.dropzone / "in-2", elsewhere / "in") if inbox != scene.dropzone / "in"]


def _played(case: PauseCase, scene: Scene, erp: StandInERP) -> PauseEvidence:
    with erp.watching() if case.case.erp == ERP.QUICK else nullcontext():
        if case.case.row.after:
            _died(scene)
        life = stop_after_a_death if case.case.row.after else stop
        with _process(life, scene, case.again) as first:
            if not _halted(first, ENDS_WITHIN_S):
                raise NotReached("The step was not reached.")
            time.sleep(STALE_LEASE_S)
            with _process(succeed, scene, case.edit, case.halfway) as successor:
                _halted(successor, WAITS_FOR_COMMIT_S if case.case.row.point in UNCOMMITTED else WAITS_S)
                if case.case.erp == ERP.REPEATING and not answer_anew(scene.dropzone):
                    raise NotReached("The successor moved no acknowledgement that the ERP could repeat.")
                _continue(first)
                if case.again and _halted(first, ENDS_WITHIN_S):
                    _finish(successor, "the successor")
                _finish(first, "the stopped worker")
                _finish(successor, "the successor")
        after = _settled(scene)
    erp.take()
    return PauseEvidence(
        after=after,
        appearances=erp.appearances,
        left=frozenset(path.name for inbox in (scene.dropzone / "in", *erp.others) for path in files(inbox)),
        answers=answers_in(scene),
    )


def _died(scene: Scene) -> None:
    """The death that the step comes after. Raises `NotReached`."""
    try:
        killed(die, scene)
    except NotAsPlanned as error:
        raise NotReached(str(error)) from error


@contextmanager
def _process(life: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    process = processes.Process(target=life, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _halted(process: Any, within_s: float) -> bool:
    """Whether it stopped; False when it ended, or went on all the time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end and process.is_alive():
        if _state(process.pid) == "T":
            return True
        time.sleep(LOOKS_EVERY_S)
    return False


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _continue(process: Any) -> None:
    """One that has ended by itself is not there to be continued."""
    if process.is_alive():
        os.kill(process.pid, signal.SIGCONT)


def _finish(process: Any, who: str) -> None:
    """A successor that had to wait for the first worker may stop only now, and has to be continued then."""
    end = time.monotonic() + ENDS_WITHIN_S
    while process.is_alive() and time.monotonic() < end:
        if _state(process.pid) == "T":
            _continue(process)
        process.join(LOOKS_EVERY_S)
    if process.is_alive():
        raise NotReached(f"{who} did not end within {ENDS_WITHIN_S:g} s")
    if process.exitcode != 0:
        raise NotAsPlanned(f"{who} ended with {process.exitcode}")


def _settled(scene: Scene) -> Seen:
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=settle, args=(scene, theirs), daemon=True)
    process.start()
    theirs.close()
    with ours:
        seen = list(told(ours))
    code = ended(process)
    if len(seen) != 1:
        raise NotAsPlanned(f"the last look ended with {code}")
    return seen[0]
