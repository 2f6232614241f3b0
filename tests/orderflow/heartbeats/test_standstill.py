"""What stands still is named, with the time since when, in `/readyz` and on the dashboard."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from orderflow.heartbeats import recorder, standstill
from orderflow.heartbeats.models import Heartbeat
from orderflow.heartbeats.standstill import BEAT, SWEEP
from orderflow.tenancy.roles import Role
from tests.support.heartbeats import TASKS, ago, everything_ran
from tests.support.tenants import log_in, make_tenant

pytestmark = pytest.mark.django_db


def problems() -> list[dict[str, Any]]:
    response = Client().get("/readyz")
    body = response.json()
    assert response.status_code == (503 if "problems" in body else 200)
    found: list[dict[str, Any]] = body.get("problems", [])
    return found


def dashboard() -> str:
    return log_in(make_tenant("acme").organization, Role.VIEWER).get(reverse("admin:index")).content.decode()


def test_all_is_well_while_everything_runs() -> None:
    everything_ran()
    assert problems() == []
    assert "swept the queue" not in dashboard()


def test_a_new_installation_without_a_worker_says_so() -> None:
    assert [(each["component"], each["since"]) for each in problems()] == [("beat", None), ("worker", None)]
    page = dashboard()
    assert "No worker has ever swept the queue." in page
    assert "celery -A orderflow worker" in page


@pytest.mark.parametrize(
    ("name", "component"), [(SWEEP, "worker"), (BEAT, "beat"), *[(task, task) for task in TASKS if task != SWEEP]]
)
def test_whatever_stops_is_named_with_the_time_since_when(name: str, component: str) -> None:
    """F33."""
    everything_ran()
    ago(SWEEP, 1)
    ago(name, standstill.limit_s(name) - 5)
    assert problems() == []
    ago(name, 10)
    (found,) = problems()
    last = Heartbeat.objects.get(name=name).at
    assert found["component"] == component
    assert found["since"] == last.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert f"since {last:%Y-%m-%d %H:%M:%S} UTC" in found["reason"]
    page = dashboard()
    assert found["reason"] in page
    assert escape(found["next_step"]) in page


def test_after_a_standstill_the_other_tasks_get_their_time_again() -> None:
    """A task that runs every five minutes is not overdue when the workers have just been started."""
    everything_ran()
    for name in (BEAT, *TASKS):
        ago(name, 86_400)
    for name in (BEAT, SWEEP):
        recorder.finished(name, standstill.limit_s(name))
    assert problems() == []
    Heartbeat.objects.filter(name=SWEEP).update(running_since=F("at") - timedelta(days=1))
    assert {each["component"] for each in problems()} == set(TASKS) - {SWEEP}


def test_a_task_that_never_ran_beside_a_running_sweep_is_named() -> None:
    everything_ran()
    Heartbeat.objects.filter(name="exports.tasks.poll_due").delete()
    assert problems() == []
    Heartbeat.objects.filter(name=SWEEP).update(running_since=F("at") - timedelta(days=1))
    assert [each["component"] for each in problems()] == ["exports.tasks.poll_due"]


def test_the_limit_is_never_less_than_three_sweeps(settings: Any) -> None:
    settings.CELERY_BEAT_SCHEDULE = {"sweep": {"task": SWEEP, "schedule": 100.0}}
    assert standstill.limit_s(SWEEP) == 300
    settings.SWEEP_OVERDUE_S = 900
    assert standstill.limit_s(SWEEP) == 900


def test_a_row_is_not_written_again_at_once() -> None:
    recorder.finished(SWEEP, 60)
    before = Heartbeat.objects.get(name=SWEEP).at
    recorder.finished(SWEEP, 60)
    assert Heartbeat.objects.get(name=SWEEP).at == before
    ago(SWEEP, 10)
    recorder.finished(SWEEP, 60)
    assert Heartbeat.objects.get(name=SWEEP).at >= before


def test_the_check_of_beat_fails_once_it_sends_nothing() -> None:
    with pytest.raises(CommandError, match="Beat has never sent a task"):
        call_command("check_beat")
    everything_ran()
    call_command("check_beat")
    ago(BEAT, 100)
    with pytest.raises(CommandError, match="Beat has sent no task since"):
        call_command("check_beat")
