"""What should run regularly and does not: read by `/readyz`, the dashboard and the containers' health checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from orderflow.heartbeats.models import Heartbeat

SWEEP = "exports.tasks.sweep"
BEAT = "beat"
START_WORKER = "Start a worker, or restart those that run: celery -A orderflow worker"
START_BEAT = "Start beat: celery -A orderflow beat"
READ_LOG = "The workers' log has the reason. Check that the workers together take from all queues"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standstill:
    """`since` is None if it never ran."""

    component: str
    reason: str
    next_step: str
    since: datetime | None

    def __str__(self) -> str:
        return f"{self.reason} {self.next_step}."


def intervals() -> dict[str, float]:
    """Seconds between two runs of each periodic task, by the task's name."""
    return {str(entry["task"]): float(entry["schedule"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}


def limit_s(task: str) -> float:
    """How long a task may not finish. The sweep waits for nobody; others may have to wait for a server."""
    regular = max(settings.SWEEP_OVERDUE_S, 3 * intervals().get(task, settings.SWEEP_INTERVAL_S))
    return float(regular if task in (SWEEP, BEAT) else regular + settings.JOB_LIMIT_S)


def found() -> list[Standstill]:
    """One query. Beat and the sweep come first; the other tasks are judged only while the sweep runs."""
    columns = Heartbeat.objects.values_list("name", "at", "running_since", Now())
    rows = {name: _Row(*times) for name, *times in columns}
    beat, sweep = rows.get(BEAT), rows.get(SWEEP)
    silent = [*_silent_beat(beat), *_silent_sweep(sweep)]
    return silent if silent or sweep is None else list(_silent_tasks(rows, sweep))


class _Row(NamedTuple):
    at: datetime
    running_since: datetime
    now: datetime

    def is_overdue(self, name: str) -> bool:
        return (self.now - self.at).total_seconds() > limit_s(name)


def _silent_beat(beat: _Row | None) -> Iterator[Standstill]:
    if beat is None:
        yield Standstill(component=BEAT, reason="Beat has never sent a task.", next_step=START_BEAT, since=None)
    elif beat.is_overdue(BEAT):
        reason = f"Beat has sent no task since {_told(beat.at)}."
        yield Standstill(component=BEAT, reason=reason, next_step=START_BEAT, since=beat.at)


def _silent_sweep(sweep: _Row | None) -> Iterator[Standstill]:
    if sweep is None:
        reason = "No worker has ever swept the queue."
        yield Standstill(component="worker", reason=reason, next_step=START_WORKER, since=None)
    elif sweep.is_overdue(SWEEP):
        reason = f"No worker has swept the queue since {_told(sweep.at)}."
        yield Standstill(component="worker", reason=reason, next_step=START_WORKER, since=sweep.at)


def _silent_tasks(rows: Mapping[str, _Row], sweep: _Row) -> Iterator[Standstill]:
    """A task is due from when the sweep began to run: nothing ran before."""
    for task in sorted(set(intervals()) - {SWEEP}):
        last = max(rows[task].at if task in rows else sweep.running_since, sweep.running_since)
        if sweep._replace(at=last).is_overdue(task):
            reason = f"The periodic task {task} has not finished since {_told(last)}."
            yield Standstill(component=task, reason=reason, next_step=READ_LOG, since=last)


def _told(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"
