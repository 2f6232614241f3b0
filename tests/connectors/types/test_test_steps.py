import pytest

from connectors.exceptions import TransientError
from connectors.ports import TestStep
from connectors.types.test_results import Steps


def test_each_step_is_told_as_it_ends() -> None:
    told: list[TestStep] = []
    steps = Steps(told.append)
    with steps.step("resolve"):
        pass
    assert [step.name for step in told] == ["resolve"]
    with steps.step("connect") as step:
        step.detail = "SSH-2.0-x"
    assert told == list(steps.ended)
    assert told[1].success
    assert told[1].detail == "SSH-2.0-x"
    assert told[1].duration_ms >= 0


def test_a_failed_step_carries_the_error_and_lets_it_go_on() -> None:
    steps = Steps()
    with pytest.raises(TransientError), steps.step("connect"):
        raise TransientError("nobody there")
    (step,) = steps.ended
    assert (step.success, step.detail) == (False, "nobody there")


def test_an_unexpected_error_is_named_without_its_text() -> None:
    """S4: its text may hold anything."""
    steps = Steps()
    with pytest.raises(RuntimeError), steps.step("connect"):
        raise RuntimeError("password=secret")
    assert steps.ended[0].detail == "Unexpected RuntimeError."
