"""Whether a connection may be used just now: blocked until a person mends it, paused until a time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from connectors.models import ERPConnection, key_ring
from connectors.sftp.pool import sessions

# After so many failed sessions in a row, and for how long. The first failures are left to each order's own schedule.
PAUSES = {3: timedelta(minutes=1), 5: timedelta(minutes=5), 8: timedelta(minutes=15)}

_RELEASED: dict[str, Any] = {
    "blocked_at": None,
    "blocked_reason": "",
    "blocked_by_key": "",
    "paused_until": None,
    "failures_in_a_row": 0,
}


def block(connection_id: UUID, reason: str, *, missing_key: str = "") -> bool:
    """Stop using the connection until somebody mends it. True for the one caller that blocked it."""
    rows = ERPConnection.objects.filter(pk=connection_id, blocked_at=None)
    return rows.update(blocked_at=Now(), blocked_reason=reason[:500], blocked_by_key=missing_key) == 1


def release_readable() -> int:
    """A key that was missing when connections were blocked is set by now, or always was in this process: use them
    again. Tells how many."""
    held = [identifier.hex() for identifier in key_ring().key_ids]
    rows = ERPConnection.objects.filter(blocked_by_key__in=held).exclude(blocked_at=None)
    return rows.update(**_RELEASED)


def hang_up(connection_id: UUID) -> None:
    """Keep nothing open for a connection that is out of use."""
    sessions.close_idle(connection_id)


def release(connection_id: UUID) -> None:
    """A test succeeded or the config was edited: use the connection again at once."""
    ERPConnection.objects.filter(pk=connection_id).update(**_RELEASED)


def record_success(connection_id: UUID) -> None:
    ERPConnection.objects.filter(pk=connection_id, failures_in_a_row__gt=0).update(
        failures_in_a_row=0, paused_until=None
    )


def record_failure(connection_id: UUID) -> None:
    """A session could not be had, or was lost: after a few in a row, pause."""
    ERPConnection.objects.filter(pk=connection_id).update(failures_in_a_row=F("failures_in_a_row") + 1)
    connection = ERPConnection.objects.get(pk=connection_id)
    pause = max((wait for after, wait in PAUSES.items() if connection.failures_in_a_row >= after), default=None)
    if pause:
        ERPConnection.objects.filter(pk=connection_id).update(paused_until=Now() + pause)
