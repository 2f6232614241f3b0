"""Where cases are played: a database, the servers, and processes that are really killed."""

import multiprocessing
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Line
from pathlib import Path
from typing import Any

from tests.servers.sftp.sftp_server import SFTPServer
from tests.system.crashes.erp import StandInERP
from tests.system.crashes.evidence import Evidence
from tests.system.crashes.judge import wrongs
from tests.system.crashes.lives import LEASE_S, RECOVERS_WITHIN_S, die, die_again, recover
from tests.system.crashes.scene import Case, Scene, Seen, scene
from tests.system.crashes.table import ERP

# A child is forked from a process that has Django and the product loaded: nobody waits for that a thousand times.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.system.crashes.preloaded"])

ENDS_WITHIN_S = RECOVERS_WITHIN_S + 10
ATTEMPTS = 8


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`database` is Django's description of one with the product's tables; `servers` by name, None for a folder."""

    folder: Path
    database: Mapping[str, Any]
    servers: Mapping[str, SFTPServer | None]

    def play(self, case: Case) -> list[str]:
        """What is wrong with how it ended, in words; nothing when it ended as the table says.

        A case is played again when its process came to its end: on a loaded machine it loses its short lease.
        """
        return repeated(lambda: self._play(case))

    def _play(self, case: Case) -> list[str]:
        slug = f"scene-{secrets.token_hex(4)}"
        set_up = scene(
            case, server=self.servers[case.server], database=self.database, folder=self.folder / slug, slug=slug
        )
        return list(wrongs(case, _played(set_up)))


class NotAsPlanned(Exception):
    """A process did not die, or did."""


class NotReached(NotAsPlanned):
    """The situation that the case is about did not arise."""


def repeated(play: Callable[[], list[str]]) -> list[str]:
    """What `play` finds wrong. It is called again, `ATTEMPTS` times in all, while its situation does not arise."""
    wrong: list[str] = []
    for _ in range(ATTEMPTS):
        try:
            return play()
        except NotReached as error:
            wrong = [str(error)]
        except NotAsPlanned as error:
            return [str(error)]
    return wrong


def _played(scene: Scene) -> Evidence:
    erp = StandInERP(dropzone=scene.dropzone, answers=scene.case.erp == ERP.ANSWERING)
    is_quick = scene.case.erp in {ERP.QUICK, ERP.ANSWERING}
    with erp.watching() if is_quick else nullcontext():
        killed(die, scene)
        if scene.case.row.after:
            killed(die_again, scene)
        # The dead one's lease ends, and its session's last requests are carried out.
        time.sleep(LEASE_S)
    if is_quick:
        erp.take()
    orders_before = {name: arrival.written_ns for name, arrival in erp.arrivals.items()} | {
        path.name: path.stat().st_mtime_ns for path in files(scene.dropzone / "in")
    }
    answers_before = frozenset(path.name for path in files(scene.dropzone / "acks"))
    with erp.watching() if is_quick else nullcontext():
        before, after = _recovered(scene)
    erp.take()
    return Evidence(
        before=before,
        after=after,
        orders_before=orders_before,
        orders_after=frozenset(path.name for path in files(scene.dropzone / "in")),
        answers_before=answers_before,
        answers_after=answers_in(scene),
        arrived=erp.arrived,
        arrivals=erp.arrivals,
        copies=_copies(scene, after),
    )


def _copies(scene: Scene, after: Seen) -> int:
    """Files that hold a document of the scene, also under a name with a suffix. The sweep stores those of scenes that
    were given up before."""
    stems = tuple(Path(order.filename).stem for order in after.orders if order.filename)
    return sum(path.is_file() and path.name.startswith(stems) for path in (scene.storage / "exports").rglob("*"))


def answers_in(scene: Scene) -> dict[str, frozenset[str]]:
    """The answers' names, by what became of them."""
    return {
        folder: frozenset(path.name for path in files(scene.dropzone / "acks" / inner))
        for folder, inner in {"acks": ".", "processed": "processed", "error": "error"}.items()
    }


def files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def killed(life: Callable[[Scene], None], scene: Scene) -> None:
    process = processes.Process(target=life, args=(scene,), daemon=True)
    process.start()
    code = ended(process)
    if code != -signal.SIGKILL:
        kind = NotReached if code == 0 else NotAsPlanned
        raise kind(f"{life.__name__} ended with {code}: the step was not reached")


def _recovered(scene: Scene) -> tuple[Seen, Seen]:
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=recover, args=(scene, theirs), daemon=True)
    process.start()
    theirs.close()
    with ours:
        seen = list(told(ours))
    code = ended(process)
    if len(seen) != 2:
        raise NotAsPlanned(f"the recovery ended with {code}")
    return seen[0], seen[1]


def told(line: "Line[None, Seen]") -> Iterator[Seen]:
    with suppress(EOFError):
        while line.poll(ENDS_WITHIN_S):
            yield line.recv()


def ended(process: Any) -> int | None:
    """Its exit code; None when it had to be killed."""
    process.join(ENDS_WITHIN_S)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    code: int = process.exitcode
    process.close()
    return code
