"""A wake-up is one message; none of them may be lost on a lane that is held."""

from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from connectors.models import ERPConnection
from exports import lanes
from exports.models import Lane
from orderflow.celery import app

KINDS = (Lane.Kind.DELIVERY, Lane.Kind.ACKS)


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The queue's folder."""
    url = f"embedded://{tmp_path / 'broker'}"
    original = app.send_task

    def send(name: str, args: list[str]) -> Any:
        with Connection(url) as connection:
            return original(name, args=args, connection=connection)

    monkeypatch.setattr(app, "send_task", send)
    return tmp_path / "broker" / "queues" / "celery"


def count(messages: Path) -> int:
    return len(list(messages.glob("*.json")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_that_is_awake_gets_no_further_message(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    assert [lanes.wake(connection.pk, kind) for _ in range(3)] == [True, False, False]
    assert count(messages) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_wake_up_that_found_the_lane_held_comes_again_when_it_is_free(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    with lanes.holding(connection.pk, kind):
        lanes.wake(connection.pk, kind)
        with lanes.holding(connection.pk, kind) as second:
            assert second is None
        assert count(messages) == 1
    assert count(messages) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_that_nobody_woke_meanwhile_is_left_asleep(
    kind: Lane.Kind, connection: ERPConnection, messages: Path
) -> None:
    with lanes.holding(connection.pk, kind):
        pass
    assert count(messages) == 0
    assert lanes.wake(connection.pk, kind)
