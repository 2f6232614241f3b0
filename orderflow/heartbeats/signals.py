"""Where heartbeats come from: each periodic task that a worker finishes, and each task that beat sends."""

import logging
import threading
from typing import Any

from celery import signals
from django.db import DatabaseError, connection

from orderflow.heartbeats import recorder, standstill

logger = logging.getLogger(__name__)

# Beat writes no row more often than this.
BEAT_WRITES_EVERY_S = 2


def connect() -> None:
    signals.task_success.connect(_task_finished)
    signals.beat_init.connect(_beat_started)


def _task_finished(sender: Any, **_: Any) -> None:
    if sender.name in standstill.intervals():
        recorder.finished(sender.name, standstill.limit_s(sender.name))


def _beat_started(**_: Any) -> None:
    """A thread writes, so that a locked database does not keep beat from sending."""
    sent = threading.Event()
    signals.after_task_publish.connect(lambda **_: sent.set(), weak=False)
    threading.Thread(target=_write_beats, args=(sent,), name="heartbeat", daemon=True).start()


def _write_beats(sent: threading.Event) -> None:
    pause = threading.Event()
    while sent.wait():
        sent.clear()
        try:
            recorder.finished(standstill.BEAT, standstill.limit_s(standstill.BEAT), grain_s=0)
        except DatabaseError as error:
            logger.warning("Beat cannot record that it runs; it goes on sending: %s", error)
        finally:
            connection.close()
        pause.wait(BEAT_WRITES_EVERY_S)
