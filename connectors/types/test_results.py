"""What a connection test found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from connectors.exceptions import ConnectorError


@dataclass(frozen=True, kw_only=True, slots=True)
class TestStep:
    """`duration_ms` is wall time; `detail` is what was seen, or what to do about the failure."""

    __test__: ClassVar[bool] = False

    name: str
    success: bool
    duration_ms: int
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """`host_key` is the key that the server showed when none, or another one, is pinned. `login_refused` says that the
    server rejected credentials, which are not to be offered again."""

    __test__: ClassVar[bool] = False

    success: bool
    latency_ms: int
    error_message: str | None = None
    steps: tuple[TestStep, ...] = ()
    host_key: str | None = None
    login_refused: bool = False


@dataclass
class StepUnderWay:
    """`detail` is what the step has seen so far."""

    detail: str = ""


class Steps:
    """Records each step as it ends; the first that fails ends the test, for its error goes on."""

    def __init__(self, on_step: Callable[[TestStep], None] | None = None) -> None:
        self._on_step = on_step
        self._ended: list[TestStep] = []

    @property
    def ended(self) -> tuple[TestStep, ...]:
        return tuple(self._ended)

    @contextmanager
    def step(self, name: str) -> Iterator[StepUnderWay]:
        started = monotonic()
        under_way = StepUnderWay()
        try:
            yield under_way
        except ConnectorError as error:
            self._end(name, started, success=False, detail=str(error))
            raise
        except Exception as error:
            self._end(name, started, success=False, detail=f"Unexpected {type(error).__name__}.")
            raise
        self._end(name, started, success=True, detail=under_way.detail)

    def _end(self, name: str, started: float, *, success: bool, detail: str) -> None:
        duration_ms = round((monotonic() - started) * 1000)
        step = TestStep(name=name, success=success, duration_ms=duration_ms, detail=detail)
        self._ended.append(step)
        if self._on_step:
            self._on_step(step)
