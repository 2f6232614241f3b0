"""Whether a connection may be used just now: blocked until a person mends it, paused until a time."""

import logging
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.dispatch import Signal
from django.utils import timezone

from connectors.encrypted_model import key_ring
from connectors.exceptions import ConfigError
from connectors.models import ConnectionEvent, ERPConnection
from connectors.sftp.pool import sessions
from connectors.text.sanitize import tame

# After so many failed sessions in a row, and for how long. The first failures are left to each order's own schedule.
PAUSES = {3: timedelta(minutes=1), 5: timedelta(minutes=5), 8: timedelta(minutes=15)}

# A connection may be used again, or for the first time with these settings: what waits for it may go. Sent in the
# transaction of the change, with `connection_id`, `actor`, `cause` in words, and whether it was just `tested`.
freed = Signal()

Kind = ConnectionEvent.Kind
logger = logging.getLogger(__name__)

# Of a reason, in a line of the log.
LOGGED = 300

_AS_NEW: dict[str, Any] = {
    "blocked_at": None,
    "blocked_reason": "",
    "blocked_by_key": "",
    "paused_until": None,
    "failures_in_a_row": 0,
}


@transaction.atomic
def block(connection_id: UUID, reason: str, *, missing_key: str = "", revision: int | None = None) -> bool:
    """Stop using the connection until somebody mends it. True for the one caller that blocked it.

    What was seen with the settings of a `revision` says nothing about later ones.
    """
    rows = ERPConnection.objects.filter(pk=connection_id, blocked_at=None)
    if revision is not None:
        rows = rows.filter(revision=revision)
    if not rows.update(blocked_at=Now(), blocked_reason=reason[:500], blocked_by_key=missing_key):
        return False
    _note(connection_id, Kind.BLOCKED, reason)
    return True


def block_for(connection: ERPConnection, error: ConfigError) -> None:
    """After what a session met with the connection's settings."""
    block(connection.pk, str(error), missing_key=error.missing_key, revision=connection.revision)


def usable() -> QuerySet[ERPConnection]:
    """Connections that may be delivered over just now."""
    return ERPConnection.objects.filter(
        Q(paused_until=None) | Q(paused_until__lte=Now()), status=ERPConnection.Status.ACTIVE, blocked_at=None
    )


def release_readable() -> int:
    """A key that was missing when connections were blocked is set by now, or always was in this process: use them
    again. Tells how many."""
    held = [identifier.hex() for identifier in key_ring().key_ids]
    rows = ERPConnection.objects.filter(blocked_by_key__in=held).exclude(blocked_at=None)
    return sum(_release(rows.filter(pk=pk), pk) for pk in rows.values_list("pk", flat=True))


@transaction.atomic
def _release(rows: QuerySet[ERPConnection], connection_id: UUID) -> bool:
    released = rows.update(**_AS_NEW) == 1
    if released:
        cause = "The encryption key that was missing is there."
        _note(connection_id, Kind.RELEASED, cause)
        _free(connection_id, cause=cause)
    return released


def hang_up(connection_id: UUID) -> None:
    """Keep nothing open for a connection that is out of use."""
    sessions.close_idle(connection_id)


@transaction.atomic
def release(connection_id: UUID, *, actor: str, cause: str, tested: bool = False) -> None:
    """A test succeeded or the config was edited: use the connection again at once."""
    rows = ERPConnection.objects.filter(pk=connection_id)
    if rows.filter(blocked_at__isnull=False).update(**_AS_NEW):
        _note(connection_id, Kind.RELEASED, cause, actor)
    elif not _resume(connection_id, actor=actor, cause=cause):
        rows.filter(failures_in_a_row__gt=0).update(**_AS_NEW)
    _free(connection_id, actor=actor, cause=cause, tested=tested)


@transaction.atomic
def resume(connection_id: UUID, *, actor: str, cause: str) -> bool:
    """End a pause before its time. False: there is none."""
    resumed = _resume(connection_id, actor=actor, cause=cause)
    if resumed:
        _free(connection_id, actor=actor, cause=cause)
    return resumed


@transaction.atomic
def record_success(connection_id: UUID, *, revision: int | None = None) -> None:
    """A session did what it was for. With the settings of a `revision`, it shows that these work."""
    rows = ERPConnection.objects.filter(pk=connection_id)
    if revision is not None:
        rows.filter(works_since=None, revision=revision).update(works_since=Now())
    if rows.filter(failures_in_a_row__gte=min(PAUSES)).update(failures_in_a_row=0, paused_until=None):
        cause = "A session succeeded again."
        _note(connection_id, Kind.RESUMED, cause)
        _free(connection_id, cause=cause)
    else:
        rows.filter(failures_in_a_row__gt=0).update(failures_in_a_row=0, paused_until=None)


@transaction.atomic
def record_failure(connection_id: UUID, reason: str = "") -> None:
    """A session could not be had, or was lost: after a few in a row, pause."""
    rows = ERPConnection.objects.filter(pk=connection_id)
    rows.update(failures_in_a_row=F("failures_in_a_row") + 1)
    failures = rows.values_list("failures_in_a_row", flat=True).get()
    pause = max((wait for after, wait in PAUSES.items() if failures >= after), default=None)
    if pause is None:
        return
    rows.update(paused_until=Now() + pause)
    # A pause like the one before is no news: a server that is down for a week has three lines, not a thousand.
    if failures in PAUSES:
        minutes = pause // timedelta(minutes=1)
        text = (
            f"{failures} sessions in a row failed; from now on each further one pauses it for {minutes} min. {reason}"
        )
        _note(connection_id, Kind.PAUSED, text.rstrip())


def record_polling(connection_id: UUID, error: str) -> None:
    """The answers could not be read, or, without an error, they can again."""
    _note(connection_id, Kind.POLL_FAILED if error else Kind.POLL_WORKS, error)


def _resume(connection_id: UUID, *, actor: str, cause: str) -> bool:
    paused = ERPConnection.objects.filter(pk=connection_id, blocked_at=None, paused_until__gt=Now())
    resumed = paused.update(**_AS_NEW) == 1
    if resumed:
        _note(connection_id, Kind.RESUMED, cause, actor)
    return resumed


def _free(connection_id: UUID, *, actor: str = "", cause: str, tested: bool = False) -> None:
    freed.send(sender=ERPConnection, connection_id=connection_id, actor=actor, cause=cause, tested=tested)


def _note(connection_id: UUID, kind: ConnectionEvent.Kind, message: str, actor: str = "") -> None:
    ConnectionEvent.objects.create(
        connection_id=connection_id, kind=kind, message=message[:500], actor=actor, at=timezone.now()
    )
    name = ERPConnection.objects.values_list("name", flat=True).get(pk=connection_id)
    by = f" By {tame(actor)}." if actor else ""
    line = f"{kind}: connection {tame(name)!r} ({connection_id}).{by} {tame(message, LOGGED)}".rstrip()
    transaction.on_commit(partial(logger.info, "%s", line), robust=True)
