"""Where a connection's acknowledgements are read, when an edit moves that while some are still awaited."""

from django.dispatch import Signal

from connectors.exceptions import ConfigError, ConnectorError
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.third_party.errors import guarded

# Asks how many sent orders of `connection` wait for an acknowledgement. Each receiver returns a number.
counting = Signal()
# An edit by `actor`, in its transaction: the acknowledgements of `connection` that are awaited now were expected in
# `place`, and are read elsewhere from now on.
moved = Signal()


class AcksAwaited(ConfigError):
    """An edit would leave `place` while orders wait for acknowledgements there; `count` says how many."""

    def __init__(self, place: str, count: int) -> None:
        orders = (
            "1 order waits for its acknowledgement" if count == 1 else f"{count:,} orders wait for acknowledgements"
        )
        super().__init__(
            f"{orders} in {place}, which will not be read after this change. Wait until they are acknowledged; or "
            "confirm the change, and move the files to where acknowledgements are read then.",
            field="ack_path",
        )
        self.place = place
        self.count = count


def place_of(connection: ERPConnection) -> str | None:
    """In words; empty where none are read, None where the config cannot be read."""
    try:
        with guarded(connection.connector_type):
            return registry.create(connection.connector_type).ack_place(connection.runtime_config())
    except ConnectorError:
        return None


def require_none_awaited(before: ERPConnection, after: ERPConnection) -> None:
    """Raises `AcksAwaited`."""
    place = _left(before, after)
    if place and (count := awaited(before)):
        raise AcksAwaited(place, count)


def note_edit(before: ERPConnection | None, after: ERPConnection, *, actor: str) -> None:
    """In the transaction of the edit."""
    place = before and _left(before, after)
    if place:
        moved.send(sender=ERPConnection, connection=after, place=place, actor=actor)


def awaited(connection: ERPConnection) -> int:
    counts = counting.send(sender=ERPConnection, connection=connection)
    return sum(int(count or 0) for _, count in counts)


def _left(before: ERPConnection, after: ERPConnection) -> str:
    """The place that `after` does not read any more; empty where it reads the same, or where `before` read none."""
    if before.config_encrypted == after.config_encrypted:
        return ""
    place = place_of(before)
    return place if place and place != place_of(after) else ""
