"""Many at once, and one that is in the way: threads with database connections of their own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, Thread
from typing import TypeVar

from django.db import connections, transaction
from rest_framework.test import APIClient

from orderflow.db.locks import try_lock

T = TypeVar("T")


def at_once(call: Callable[[], T], count: int = 50) -> list[T]:
    together = Barrier(count)

    def run(_: int) -> T:
        together.wait(30)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def another(api: APIClient) -> APIClient:
    """A client with the same token, for another thread."""
    client = APIClient(raise_request_exception=False)
    client.credentials(**vars(api)["_credentials"])
    return client


@contextmanager
def beside(do: Callable[[], object], within_s: float) -> Iterator[None]:
    """Another transaction, on a connection of its own, has done `do` and goes on, for `within_s` seconds at most."""
    begun, end = Event(), Event()

    def run() -> None:
        with transaction.atomic():
            do()
            begun.set()
            end.wait(within_s)
        connections.close_all()

    thread = Thread(target=run)
    thread.start()
    try:
        assert begun.wait(10)
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def held(*name: object) -> Iterator[None]:
    """Another transaction has the lock of that name, for two seconds at most."""

    def hold() -> None:
        assert try_lock(*name)

    with beside(hold, 2):
        yield
