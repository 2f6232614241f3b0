"""Calls of the API over HTTP, by one client that keeps its connection open."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

from tests.bench.bench import Bench
from tests.servers.ports import free_port


@contextmanager
def client(bench: Bench, token: str) -> Iterator["Client"]:
    """Of a gunicorn as the demo and small installations run it."""
    port = free_port()
    command = ("gunicorn", "orderflow.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4")
    with (
        bench.running(*command, "--no-control-socket", ready="Booting worker") as pid,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
    ):
        yield Client(connection, token, pid)


class Client:
    def __init__(self, connection: http.client.HTTPConnection, token: str, pid: int) -> None:
        self.pid = pid
        self._connection = connection
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def push(self, order_id: UUID) -> tuple[float, Any]:
        """Milliseconds, and the answer."""
        return self._post(f"/api/v1/draft-orders/{order_id}/push/", 202)

    def empty(self) -> float:
        """Milliseconds of a call that does nothing."""
        return self._post("/empty/", 200)[0]

    def _post(self, path: str, expected: int) -> tuple[float, Any]:
        started = time.perf_counter()
        self._connection.request("POST", path, body=b"{}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - started) * 1000
        assert answer.status == expected, body
        return took, json.loads(body)
