"""The Celery app. A message is only a wake-up: the database is the queue, and beat finds what a lost one left."""

import os
from typing import Any

from celery import Celery, signals

from orderflow import broker, gc_tuning
from orderflow.environment.startup import load_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orderflow.settings")
broker.register()

app = Celery("orderflow")


@app.on_configure.connect
def _load(**_: Any) -> None:
    load_settings()


app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_init.connect
def _settle(**_: Any) -> None:
    """Everything is imported, and no child is forked yet."""
    gc_tuning.settle()
