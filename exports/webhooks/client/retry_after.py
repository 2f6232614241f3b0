"""How long a receiver asks to wait, from untrusted headers."""

import re
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime


def seconds(headers: Message) -> float | None:
    """None for a missing or invalid `Retry-After`, and for a date in the past."""
    text = headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    until = _time(text)
    if until is None:
        return None
    # Both by the receiver's clock, if the response has a date.
    left = (until - (_time(headers.get("Date", "")) or datetime.now(UTC))).total_seconds()
    return left if left >= 0 else None


def _time(text: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
