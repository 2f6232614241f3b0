"""Heartbeats as of an installation that has run for a while."""

from datetime import timedelta

from django.conf import settings
from django.db.models import F

from orderflow.heartbeats import recorder, standstill
from orderflow.heartbeats.models import Heartbeat
from orderflow.heartbeats.standstill import BEAT

TASKS = [str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()]


def everything_ran() -> None:
    for name in (BEAT, *TASKS):
        recorder.finished(name, standstill.limit_s(name))


def ago(name: str, seconds: float) -> None:
    """Move the row into the past, where it has run for a day."""
    past = F("at") - timedelta(seconds=seconds)
    Heartbeat.objects.filter(name=name).update(at=past, running_since=past - timedelta(days=1))
