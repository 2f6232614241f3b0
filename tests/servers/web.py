"""The product behind gunicorn as a process of its own, and a client that writes requests byte by byte."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port
from tests.support.shared_database import until

ROOT = Path(__file__).parents[2]
RATES = ("LOGIN", "LOGIN_ADDRESS", "PUSH", "PUSH_ORGANIZATION", "CONNECTION_TEST", "CONNECTION_TEST_ORGANIZATION")
STARTS_WITHIN_S = 120
RESPONDS_WITHIN_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """`status` is 0 when the server closed the connection without a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """Of a problem."""
        problem = self.headers.get("content-type", "").startswith("application/problem+json")
        return str(self.json["code"]) if problem else None


@contextmanager
def serving(url: str, folder: Path, **settings: str) -> Iterator[int]:
    """The port of a gunicorn on that database, without rate limits."""
    port = free_port()
    command = ["gunicorn", "orderflow.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"]
    environment = {
        **os.environ,
        **{f"RATE_{name}": "1000000/min" for name in RATES},
        **settings,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    with (folder / "web.log").open("ab") as log:
        web = subprocess.Popen(
            [sys.executable, "-m", *command, "--no-control-socket"], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            until(lambda: _is_ready(port), within_s=STARTS_WITHIN_S)
            yield port
        finally:
            web.terminate()
            web.wait(30)


def _is_ready(port: int) -> bool:
    try:
        return exchange(port, b"GET /readyz/web HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").status == 200
    except OSError:
        return False


def head(method: str, path: str, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", "Connection: close"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode("latin-1")


def chunks(body: bytes, sizes: Iterable[int] = (65_536,)) -> bytes:
    """The body in chunks of these sizes, one after the other and from the start again, with the last, empty chunk."""
    framed, at = bytearray(), 0
    for size in cycle(sizes):
        piece = body[at : at + size]
        if not piece:
            break
        framed += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        at += len(piece)
    return bytes(framed) + b"0\r\n\r\n"


def exchange(port: int, sent: bytes, *, half_close: bool = False) -> Response:
    """What comes back for these bytes. With `half_close`, the client says that nothing follows them."""
    with socket.create_connection(("127.0.0.1", port), timeout=RESPONDS_WITHIN_S) as sock:
        # The server may refuse before it has read everything.
        with contextlib.suppress(ConnectionError):
            sock.sendall(sent)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(sock)
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionError):
            return Response(status=0, headers={}, body=b"")
        return Response(
            status=response.status, headers={name.lower(): value for name, value in response.getheaders()}, body=body
        )


def abandon(port: int, sent: bytes) -> None:
    """Sends these bytes and resets the connection, as a client that dies does."""
    with socket.create_connection(("127.0.0.1", port), timeout=RESPONDS_WITHIN_S) as sock:
        sock.sendall(sent)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
