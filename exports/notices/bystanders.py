"""Reports a standstill from processes that are no workers: beat and web go on when the workers have stopped, and the
task that compares does not run then."""

import logging
import threading
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
    from exports.notices import watch  # noqa: PLC0415 - models can be imported from here on

    if watch.report_standstills() and settings.EMAIL_URL:
        threading.Thread(target=_send, name="standstill mails", daemon=True).start()


def _beat_started(**_: Any) -> None:
    threading.Thread(target=_look_regularly, name="standstill", daemon=True).start()


def _look_regularly() -> None:
    pause = threading.Event()
    while not pause.wait(LOOKS_EVERY_S):
        look()


def look() -> None:
    """For beat, in its own thread."""
    from exports.notices import watch  # noqa: PLC0415 - as above

    try:
        if watch.report_standstills():
            _send()
    except DatabaseError as error:
        logger.warning("Standstills cannot be reported, the next look tries again: %s", error)
    finally:
        connection.close()


def _send() -> None:
    """One thread of a process at a time."""
    from exports.notices import mails  # noqa: PLC0415 - as above

    if not _sending.acquire(blocking=False):
        return
    try:
        mails.send_due()
    except DatabaseError as error:
        logger.warning("E-mails about a standstill cannot be sent now: %s", error)
    finally:
        _sending.release()
        connection.close()
