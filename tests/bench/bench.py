"""What every benchmark works with: its size, a folder in memory, an OpenSSH server, the product's processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orderflow.keys import fresh_keys
from tests.servers.postgres import postgres
from tests.servers.redis import redis
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server

ROOT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")  # noqa: S108 - on purpose: no disk is to be measured
STARTS_WITHIN_S = 30

WORKER = (
    "celery",
    "-A",
    "orderflow",
    "worker",
    "--without-gossip",
    "--without-mingle",
    "--loglevel",
    "INFO",
    "--concurrency",
)
BEAT = ("celery", "-A", "orderflow", "beat")


@dataclass(frozen=True, kw_only=True)
class Bench:
    quick: bool
    folder: Path
    sshd: OpenSSHServer

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 5

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def new_folder(self) -> Path:
        """Below the SFTP server's root; its name is its path there."""
        return Path(tempfile.mkdtemp(prefix="place-", dir=self.sshd.root))

    @contextmanager
    def running(self, *command: str, ready: str = "ready.") -> Iterator[int]:
        """`python -m command`, once `ready` stands in its log. The process id."""
        log = Path(tempfile.mkstemp(suffix=".log", dir=self.folder)[1])
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, stdout=out, stderr=out, start_new_session=True
            )
        try:
            _wait_for(ready, log, process)
            yield process.pid
        finally:
            _stop(process)


@contextmanager
def bench(*, quick: bool, database: bool) -> Iterator[Bench]:
    """Servers up and the environment set, as the product's settings read it; everything gone again afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_folder_in_memory()))
        sshd = stack.enter_context(openssh_server(folder / "sshd"))
        environment = _environment(folder)
        if database:
            environment |= {
                "DATABASE_URL": stack.enter_context(postgres()),
                "REDIS_URL": stack.enter_context(redis()),
            }
        os.environ |= environment
        yield Bench(quick=quick, folder=folder, sshd=sshd)


@contextmanager
def _folder_in_memory() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="orderflow-bench-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    # PostgreSQL runs as another user and has its folder below this one.
    Path(folder).chmod(0o755)
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **fresh_keys(),
        "DJANGO_SETTINGS_MODULE": "tests.bench.site.settings",
        "ENV_FILE": str(folder / "none.env"),
        "DATA_DIR": str(folder / "data"),
        "DROPZONE_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def until(look: Callable[[], bool], *, within_s: float, every_s: float) -> None:
    """Raises `TimeoutError`."""
    end = time.monotonic() + within_s
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"It has not happened within {within_s:g} s.")
        time.sleep(every_s)


def _wait_for(text: str, log: Path, process: "subprocess.Popen[bytes]") -> None:
    try:
        until(lambda: text in log.read_text(errors="replace"), within_s=STARTS_WITHIN_S, every_s=0.05)
    except TimeoutError:
        raise RuntimeError(f"{process.args!r} does not start: {log.read_text(errors='replace')}") from None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
