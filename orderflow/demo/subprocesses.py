"""The processes that a demo starts: each with its own log, none of them outliving it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from orderflow.demo.environment import PROJECT
from orderflow.demo.lock import note

# An idle Celery worker takes longer, and has nothing to lose: the product is made for workers that are killed.
STOP_WITHIN_S = 3
KILLED_WITHIN_S = 2
LINES_TOLD = 15


class ChildDied(Exception):
    """A process that should have stayed up did not. The text ends with the last lines of its log."""


class Children:
    def __init__(self, folder: Path, lock: TextIO) -> None:
        self._folder = folder
        self._lock = lock
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, *arguments: str, files: Sequence[int] = ()) -> None:
        """`python -m module arguments`; `files` are descriptors that it inherits."""
        with self.log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - nothing here comes from outside
                [sys.executable, "-m", module, *arguments],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lock.fileno(), *files),
                # A Ctrl-C is for the demo, which stops its processes in order.
                start_new_session=True,
            )
        note(self._lock, self._processes[name].pid)

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def check(self) -> None:
        """Raises `ChildDied`."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise ChildDied(
                    f"The {name} process ended with code {process.returncode}. The end of {self.log(name)}:\n"
                    + "".join(f"  {line}\n" for line in self._last_lines(name))
                )

    def _last_lines(self, name: str) -> list[str]:
        return self.log(name).read_text(errors="replace").splitlines()[-LINES_TOLD:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _deaf():
            end = time.monotonic() + STOP_WITHIN_S
            for process in self._processes.values():
                process.terminate()
            for process in self._processes.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0, end - time.monotonic()))
                _kill_what_is_left(process)


@contextmanager
def _deaf() -> Iterator[None]:
    """A second Ctrl-C must not leave processes behind."""
    before = {name: signal.signal(name, signal.SIG_IGN) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _kill_what_is_left(process: subprocess.Popen[bytes]) -> None:
    """The process itself, and those that it started in its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for _ in range(KILLED_WITHIN_S * 50):
            os.killpg(process.pid, 0)
            time.sleep(0.02)
