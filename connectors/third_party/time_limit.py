"""Third-party code that may never return: run in a thread that its caller stops waiting for."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from django.db import connection


class Overdue(Exception):
    """The code did not end in time. It may still be running."""


class _End:
    """The last item: how the code ended."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def within(ends_at: float, most: int, produce: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """The items of `produce()`, no more than `most`, for as long as it takes until `ends_at` on the monotonic clock.

    Raises what `produce` raises, or `Overdue`.
    """
    items: SimpleQueue[Any] = SimpleQueue()
    abandoned = threading.Event()
    args = (produce, most, items, abandoned)
    threading.Thread(target=_run, args=args, name="third-party connector", daemon=True).start()
    try:
        while True:
            item = items.get(timeout=max(ends_at - time.monotonic(), 0))
            if not isinstance(item, _End):
                yield item
            elif item.error:
                raise item.error
            else:
                return
    except Empty:
        raise Overdue from None
    finally:
        abandoned.set()


def _run(
    produce: Callable[[], Iterable[Any]], most: int, items: "SimpleQueue[Any]", abandoned: threading.Event
) -> None:
    try:
        for number, item in enumerate(produce(), start=1):
            items.put(item)
            if number >= most or abandoned.is_set():
                break
    except BaseException as error:  # noqa: BLE001 - the caller gets it, SystemExit and GeneratorExit included
        items.put(_End(error))
    else:
        items.put(_End())
    finally:
        connection.close()
