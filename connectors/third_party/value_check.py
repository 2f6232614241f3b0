"""What connectors return for people and the database, checked for what can be stored and shown."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from connectors.exceptions import ConfigError
from connectors.ports import TestResult, TestStep
from connectors.text.sanitize import tame

OnStep = Callable[[TestStep], None]
# A step's name and time stand in tables; the time is in milliseconds.
LONGEST_NAME = 100
LONGEST_MS = 2**31 - 1


def require_storable(config: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for the first value that JSON does not have."""
    for name, value in config.items():
        try:
            json.dumps({name: value}, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            text = f"The config field {name!r} gives a {type(value).__name__}, which JSON lacks. Fix the connector."
            raise ConfigError(text, field=str(name)) from error


def checked_result(result: Any) -> TestResult:
    """Raises `TypeError` for what is no result."""
    if not isinstance(result, TestResult) or not isinstance(result.success, bool):
        raise TypeError(f"test_connection returned {type(result).__name__}, not a TestResult")
    return TestResult(
        success=result.success,
        latency_ms=_milliseconds(result.latency_ms),
        error_message=_text(result.error_message) or (None if result.success else "The test failed without a reason."),
        steps=tuple(_step(step) for step in result.steps),
        host_key=result.host_key if isinstance(result.host_key, str) else None,
        login_refused=result.login_refused is True,
    )


def checked_steps(on_step: OnStep | None) -> OnStep | None:
    return (lambda step: on_step(_step(step))) if on_step else None


def _step(step: Any) -> TestStep:
    if not isinstance(step, TestStep):
        raise TypeError(f"A step of the test is {type(step).__name__}, not a TestStep")
    return TestStep(
        name=_text(step.name)[:LONGEST_NAME],
        success=step.success is True,
        duration_ms=_milliseconds(step.duration_ms),
        detail=_text(step.detail),
    )


def _milliseconds(value: Any) -> int:
    return min(max(int(value), 0), LONGEST_MS) if isinstance(value, int | float) and value == value else 0  # noqa: PLR0124


def _text(value: Any) -> str:
    return tame(value) if isinstance(value, str) else ""
