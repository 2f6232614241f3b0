"""A broker that forgets everything, and one that is not there: a message is only a wake-up."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from tests.servers.redis import RedisServer, redis_server
from tests.support.installation import eventually, installed
from tests.system.acceptance.conftest import Site
from tests.system.acceptance.orders import ORDER, pushed

COUNT = 5


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, broker: RedisServer) -> Iterator[Site]:
    dropzone = tmp_path / "dropzones" / "acme"
    (dropzone / "in").mkdir(parents=True)
    settings = {"DROPZONE_ROOT": str(tmp_path / "dropzones"), "REDIS_URL": broker.url}
    with installed(tmp_path / "site", settings) as installation:
        yield Site(installation=installation, dropzone=dropzone, config={"mode": "filesystem", "export_path": "in"})


def arrived(site: Site) -> int:
    return len(list((site.dropzone / "in").glob("sales_order_*.json")))


@pytest.mark.timeout(600)
def test_a_broker_that_forgets_everything_loses_no_order(site: Site, broker: RedisServer) -> None:
    """F22: flushed with all the wake-ups in it, then restarted with pushes meanwhile."""
    installation = site.installation
    site.connect()
    installation.kill("worker")
    for n in range(COUNT):
        pushed(installation, f"PO-{n}")
    with redis.Redis.from_url(broker.url) as client:
        assert client.llen("celery") >= 1
        client.flushall()
    installation.start("worker")
    eventually(lambda: arrived(site) == COUNT, within_s=60, what="every file")

    orders = [installation.post("draft-orders/", {**ORDER, "external_order_number": f"Late {n}"}) for n in range(COUNT)]
    for order in orders:
        installation.post(f"draft-orders/{order['id']}/approve/")
    broker.crash()
    for order in orders:
        assert installation.post(f"draft-orders/{order['id']}/push/")["status"] == "PUSHING"
    broker.start()
    eventually(lambda: arrived(site) == 2 * COUNT, within_s=60, what="every file")


@pytest.mark.timeout(600)
def test_a_worker_whose_tasks_end_while_the_broker_is_away_hears_of_later_work(site: Site, broker: RedisServer) -> None:
    """F22: every process of the worker is in the middle of something then, for the database is locked."""
    installation = site.installation
    site.connect()
    pushed(installation, "PO-1")
    eventually(lambda: arrived(site) == 1, within_s=60, what="the first file")
    with closing(sqlite3.connect(installation.folder / "data" / "orderflow.sqlite3")) as database:
        database.execute("BEGIN IMMEDIATE")
        # Beat's tasks come every second, and wait for the lock.
        time.sleep(4)
        broker.crash()
        database.rollback()
    time.sleep(3)
    broker.start()
    pushed(installation, "PO-2")
    eventually(lambda: arrived(site) == 2, within_s=60, what="the second file")


@pytest.mark.timeout(600)
def test_a_worker_that_takes_messages_as_the_broker_dies_hears_of_later_work(site: Site, broker: RedisServer) -> None:
    """F22: its processes are frozen, so nothing of what it took from the broker has begun when the broker is gone."""
    installation = site.installation
    site.connect()
    pushed(installation, "PO-1")
    eventually(lambda: arrived(site) == 1, within_s=60, what="the first file")
    for process in installation.children("worker"):
        os.kill(process, signal.SIGSTOP)
    # Beat's tasks come every second: more of them than there are processes.
    time.sleep(4)
    broker.crash()
    for process in installation.children("worker"):
        os.kill(process, signal.SIGCONT)
    time.sleep(3)
    broker.start()
    pushed(installation, "PO-2")
    eventually(lambda: arrived(site) == 2, within_s=60, what="the second file")
