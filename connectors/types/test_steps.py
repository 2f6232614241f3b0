"""The steps of a connection test, each with its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from connectors.exceptions import ConnectorError
from connectors.types.test_results import TestStep


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
