"""The processes behind a figure: the database's, the broker's, the SFTP server's and the product's own."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection as database

from tests.bench.bench import WORKER, Bench


@contextmanager
def workers(bench: Bench, count: int) -> Iterator[dict[str, int]]:
    """`celery worker` processes with one child each, ready; their ids by name."""
    with ExitStack() as stack:
        started = [bench.running(*WORKER, "1", "--hostname", f"worker{n}@%h") for n in range(count)]
        yield {f"worker {n}": stack.enter_context(worker) for n, worker in enumerate(started)}


def servers(bench: Bench) -> Mapping[str, int]:
    return {"OpenSSH": bench.sshd.process.pid, "PostgreSQL": _postmaster(), "Redis": _redis()}


def _postmaster() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])


def _redis() -> int:
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        return int(client.info("server")["process_id"])
