"""For tests that start processes on the database of the test."""

import time
from collections.abc import Callable

from django.db import connection as database


def database_url() -> str:
    found = database.settings_dict
    if database.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    return f"postgres://{found['USER']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


def until(look: Callable[[], bool], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)
