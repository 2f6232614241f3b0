"""What admin pages of every package show in the same words."""

from datetime import datetime

from django.utils import formats, timezone


def is_paused(until: datetime | None) -> bool:
    return until is not None and until > timezone.now()


def local_time(at: datetime | None) -> str:
    return formats.localize(timezone.localtime(at)) if at else ""
