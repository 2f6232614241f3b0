"""Which place of the journal outside the database takes no entries, by machine: kept where every process sees it."""

import logging
import socket
import time

from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from orderflow.heartbeats import faults
from orderflow.heartbeats.models import Fault

logger = logging.getLogger(__name__)

STORAGE = "the storage of archived documents"
FOLDER = "STATE_DIR"
PLACES = (STORAGE, FOLDER)
# While a place fails, each process writes that so often at most.
GRAIN_S = 30.0
# A machine that is not used any more neither writes entries nor checks its places.
FORGOTTEN_AFTER_S = 3600.0

_PREFIX = "journal: "
_SEPARATOR = ", machine "
# When this process last wrote that a place fails, on the monotonic clock.
_written: dict[str, float] = {}


def failed(place: str, error: BaseException) -> None:
    """Never raises: the delivery goes on."""
    now = time.monotonic()
    if now - _written.get(place, now - GRAIN_S) < GRAIN_S:
        return
    try:
        with transaction.atomic():
            faults.seen(_name(place), f"{place}: {error or type(error).__name__}")
    except DatabaseError as refused:
        logger.warning("It cannot be recorded that the journal is not kept in %s: %s", place, refused)
    else:
        _written[place] = now


def worked(place: str, *, whoever_wrote: bool = False) -> None:
    """Never raises. Without `whoever_wrote`, only what this process has written ends: a batch asks the database for
    nothing."""
    if place not in _written and not whoever_wrote:
        return
    try:
        with transaction.atomic():
            faults.over(_name(place))
    except DatabaseError as refused:
        logger.warning("It cannot be recorded that the journal is kept in %s again: %s", place, refused)
    else:
        _written.pop(place, None)


def present() -> QuerySet[Fault]:
    return faults.present(_PREFIX, FORGOTTEN_AFTER_S)


def parts_of(fault: Fault) -> tuple[str, str]:
    """The place and the machine."""
    place, _, machine = fault.name.removeprefix(_PREFIX).rpartition(_SEPARATOR)
    return place, machine


def _name(place: str) -> str:
    return f"{_PREFIX}{place}{_SEPARATOR}{socket.gethostname()}"[:255]
