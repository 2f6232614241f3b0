"""Durations as people say them."""

from datetime import timedelta

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration_text(duration: timedelta) -> str:
    """By its two largest units; below ten seconds to a tenth of one, below one in milliseconds."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, told = round(seconds), list[str]()
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or told:
            told.append(f"{count} {unit}")
    return " ".join(told[:2])
