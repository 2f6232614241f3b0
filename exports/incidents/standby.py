"""Reports a standstill from processes that are no workers: beat and web go on when the workers have stopped, and the
task that compares does not run then."""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from celery import signals
from django.conf import settings
from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

LOOKS_EVERY_S = 30.0

_sending = threading.Lock()


def connect() -> None:
    signals.beat_init.connect(_beat_started)


def report() -> None:
    """For the web process: open incidents for what stands still; a thread sends the e-mails, because a mail server may
    be slow."""
    from exports.incidents import detector  # noqa: PLC0415 - models can be imported from here on

    if detector.report_standstills() and settings.EMAIL_URL:
        threading.Thread(target=_in_thread, args=(_send,), name="standstill mails", daemon=True).start()


def look() -> None:
    """For beat: report what stands still and send the e-mails."""
    from exports.incidents import detector  # noqa: PLC0415 - as above

    if detector.report_standstills():
        _send()


def _beat_started(**_: Any) -> None:
    threading.Thread(target=look_regularly, args=(threading.Event(),), name="standstill", daemon=True).start()


def look_regularly(end: threading.Event) -> None:
    """Until `end` is set."""
    while not end.wait(LOOKS_EVERY_S):
        _in_thread(look)


def _in_thread(work: Callable[[], None]) -> None:
    try:
        with closing(connection):
            work()
    except DatabaseError as error:
        logger.warning("Standstills cannot be reported now: %s", error)
    except Exception:
        # Beat has one thread for this until it ends: the next round must run.
        logger.exception("Standstills cannot be reported now")


def _send() -> None:
    """One thread of a process at a time."""
    from exports.incidents import mailer  # noqa: PLC0415 - as above

    if not _sending.acquire(blocking=False):
        return
    try:
        mailer.send_due()
    finally:
        _sending.release()
