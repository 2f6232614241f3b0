"""A small Celery app for the broker's tests: each task notes in a file that it ran."""

import os
import time
from pathlib import Path

from celery import Celery

from orderflow import broker

broker.register()

app = Celery("broker-tests", set_as_current=False, broker=os.environ.get("BROKER_URL"), fixups=[])
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def note(path: str, text: str, duration_s: float = 0) -> None:
    started = time.time()
    time.sleep(duration_s)
    with Path(path).open("a") as file:
        file.write(f"{text} {started}\n")
