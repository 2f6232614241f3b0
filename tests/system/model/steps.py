"""A worker's steps, and what may come between two of them.

Every statement to the database and every operation on a file is a step. A kill lets nothing of the worker through from
there on: no statement, no file, and its open transaction is rolled back, as the database does for a client that is
gone; so whatever the product does in `except` and `finally` comes to nothing, as after SIGKILL. What this cannot show:
half a statement or half a write, a thread that outlives its worker, bytes that never left a buffer. Trials with real
processes show those.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import OperationalError, connection


class Killed(BaseException):
    """Not an `Exception`: nothing that the product catches."""


class Mishap(StrEnum):
    KILLED = "killed"
    # Only of files: the request never left, or it was carried out and the answer never came.
    SESSION_LOST = "session lost"
    ANSWER_LOST = "answer lost"
    DATABASE_GONE = "database gone"
    # Somebody else acts while this worker is in the middle of its work.
    MEANWHILE = "meanwhile"


@dataclass(kw_only=True)
class Steps:
    """One worker's. `at` counts all steps for a kill, statements for the database, and files for the rest."""

    mishap: Mishap | None = None
    at: int = 0
    meanwhile: Callable[[], object] = lambda: None
    statements: int = 0
    files: int = 0
    has_happened: bool = False

    def statement(self) -> None:
        self._die_if_due()
        if self.mishap is Mishap.DATABASE_GONE and self.statements >= self.at:
            self.has_happened = True
            raise OperationalError("the database is gone")
        self.statements += 1

    def file(self) -> Mishap | None:
        """What becomes of the session at this operation, if anything does."""
        self._die_if_due()
        due = self.mishap is not Mishap.DATABASE_GONE and self.files == self.at and not self.has_happened
        self.files += 1
        if not due or self.mishap is None:
            return None
        self.has_happened = True
        if self.mishap is Mishap.MEANWHILE:
            self.meanwhile()
            if threading.current_thread() is not threading.main_thread():
                # The thread that reads answers: it has no work for the database, and nobody would close this for it.
                connection.close()
            return None
        return self.mishap

    def _die_if_due(self) -> None:
        if self.mishap is Mishap.KILLED and self.statements + self.files >= self.at:
            self.has_happened = True
            raise Killed


class Workers:
    """Who is at work just now: the innermost acts in the middle of the others' work."""

    def __init__(self) -> None:
        self._stack: list[Steps] = []

    @contextmanager
    def working(self, steps: Steps) -> Iterator[None]:
        self._stack.append(steps)
        try:
            yield
        finally:
            self._stack.pop()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """The ERP, a person, another process."""
        with self.working(Steps()):
            yield

    def file(self) -> Mishap | None:
        return self._stack[-1].file() if self._stack else None

    @contextmanager
    def watched(self) -> Iterator[None]:
        with connection.execute_wrapper(self._statement):
            yield

    def _statement(self, execute: Callable[..., Any], *call: Any) -> Any:
        if self._stack:
            self._stack[-1].statement()
        return execute(*call)
