"""Which temporary files are ours, and which of those nobody is writing any more."""

from datetime import timedelta

# Far beyond any try, and beyond the difference between the server's clock and ours.
OLD_AFTER = timedelta(days=1)


def final_name(temporary: str, pattern: str) -> str | None:
    """The name behind a temporary one of this `pattern`, such as `{name}.tmp`; None where it has another form."""
    before, _, after = pattern.partition("{name}")
    inside = temporary.removeprefix(before).removesuffix(after)
    return inside if inside and pattern.replace("{name}", inside) == temporary else None


def is_old(modified_at: float, now: float) -> bool:
    """Both in seconds since the epoch."""
    return now - modified_at > OLD_AFTER.total_seconds()
