"""One mutant in a copy of the tree: its tests run, and fail or do not."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.mutant import ROOT, Mutant

# Neither the tests nor the product need these; the servers' node_modules are linked, not copied.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"
)
# The plugins that none of these tests needs take a second to load.
OPTIONS: tuple[str, ...] = ("-x", "-q", "-n0", "--no-header", "-pno:cacheprovider", "-pno:schemathesis")
OPTIONS += ("-pno:playwright", "-Wignore::pytest.PytestAssertRewriteWarning")
ON_POSTGRES = ("-m", "tests.servers.postgres", sys.executable)
# What every run loads and no mutant is in: half of the time that a run takes to start.
PRELOADED = ["pytest", "hypothesis", "paramiko", "asyncssh", "celery.app", "redis", "msgspec", "structlog"]
PRELOADED += ["django.db.models", "django.forms", "django.http", "django.template", "django.test"]
PACKAGES = ("tests", "connectors", "exports", "orderflow", "__mp_main__")

PYTEST_FAILED, PYTEST_INTERRUPTED, PYTEST_MISUSED = 1, 2, 4

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(PRELOADED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`killed` by a test that failed, a module that does not load, or the time limit; `by` says which."""

    mutant: Mutant
    killed: bool
    by: str
    seconds: float


def copy_tree(target: Path) -> None:
    shutil.copytree(ROOT, target, ignore=LEFT_OUT, symlinks=True, dirs_exist_ok=True)
    for modules in ("tests/servers/sftp/ssh2/node_modules", "tests/system/browser/node_modules"):
        if (ROOT / modules).exists():
            (target / modules).symlink_to((ROOT / modules).resolve())


def try_mutant(mutant: Mutant, tree: Path, limit_s: float) -> Outcome:
    with _mutated(mutant, tree):
        started = time.monotonic()
        killed, by = run_tests(mutant.tests, tree, limit_s, postgres=mutant.postgres)
    return Outcome(mutant=mutant, killed=killed, by=by, seconds=time.monotonic() - started)


def run_tests(tests: Sequence[str], tree: Path, limit_s: float, *, postgres: bool = False) -> tuple[bool, str]:
    """Whether something failed, and what. Raises `RuntimeError` when pytest ran no test, which says nothing."""
    temporary = tree.with_name(f"{tree.name}-tmp")
    temporary.mkdir()
    try:
        run = _on_postgres if postgres else _forked
        # Sorted: pytest does not find a folder's fixtures when it comes back to the folder.
        code, output = run([*OPTIONS, *sorted(tests)], tree, temporary, limit_s)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if code == 0:
        return False, ""
    if code is None:
        return True, f"the time limit of {limit_s:.0f} s"
    if code in (PYTEST_FAILED, PYTEST_INTERRUPTED) and (failed := _first_failure(output)):
        return True, failed
    if code == PYTEST_MISUSED and "while loading conftest" in output:
        return True, "a module that does not load"
    raise RuntimeError(f"pytest ended with {code}:\n{output}")


def _forked(arguments: Sequence[str], tree: Path, temporary: Path, limit_s: float) -> tuple[int | None, str]:
    """The exit code, None at the time limit, and the output."""
    output = temporary / "output"
    process = processes.Process(target=_run_pytest, args=(arguments, str(tree), str(temporary), str(output)))
    process.start()
    process.join(limit_s)
    code = process.exitcode
    _end(process.pid)
    process.join()
    return code, output.read_text(errors="replace") if output.exists() else ""


def _run_pytest(arguments: Sequence[str], tree: str, temporary: str, output: str) -> None:
    # A group of its own, so that servers that a test started end with it.
    os.setsid()
    with open(output, "wb") as file:  # noqa: PTH123 - in a process that is about to become another
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    os.chdir(tree)
    os.environ["TMPDIR"] = temporary
    sys.path[:] = [tree, *(path for path in sys.path if path not in {"", str(ROOT)})]
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    import pytest  # noqa: PLC0415 - loaded in the process that this one is forked from

    code: Any = pytest.main(list(arguments))
    sys.stdout.flush()
    os._exit(int(code))


def _on_postgres(arguments: Sequence[str], tree: Path, temporary: Path, limit_s: float) -> tuple[int | None, str]:
    command = [sys.executable, *ON_POSTGRES, "-m", "pytest", *arguments]
    environment = os.environ | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        _end(process.pid)
        process.wait()
    return process.returncode, output


@contextmanager
def _mutated(mutant: Mutant, tree: Path) -> Iterator[None]:
    path = tree / mutant.file
    text = mutant.apply(tree)
    _forget_compiled(path)
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        _forget_compiled(path)


def _forget_compiled(path: Path) -> None:
    """Python compares time and size only, and a mutant may change neither."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def _first_failure(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("FAILED tests/", "ERROR tests/"))]
    return lines[0].split(" - ")[0].partition(" ")[2] if lines else ""


def _end(pid: int | None) -> None:
    """The process, and what it started. As long as nobody has waited for it, its number is nobody else's."""
    if pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
