from datetime import UTC, datetime

EXAMPLE = "A time reads 2026-11-25T10:00:00Z, with its zone. In an address, a + has to be encoded."


def zoned_time(text: str) -> datetime:
    """What an ISO 8601 time says, in UTC. Raises `ValueError`, also for one without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} says no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from error
