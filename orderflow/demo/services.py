"""The product's own processes, as a small installation runs them."""

import http.client
import socket
import time

from django.core.management.base import CommandError

from orderflow.demo.erp.server import HOST
from orderflow.demo.subprocesses import Children

WEB_ANSWERS_WITHIN_S = 60


def listen(port: int) -> socket.socket:
    """Bound here, so that a port that is taken is told at once and a free one stays ours. Raises `CommandError`."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise CommandError(f"Port {port} cannot be used: {error.strerror}. Name another, or none.") from error


def start_web(children: Children, listener: socket.socket) -> None:
    """Takes the listener over."""
    descriptor = listener.fileno()
    children.start(
        "web",
        "gunicorn",
        *("--bind", f"fd://{descriptor}", "--workers", "1", "--threads", "4", "--no-control-socket"),
        "orderflow.wsgi",
        files=[descriptor],
    )
    listener.close()


def start_worker(children: Children) -> None:
    children.start("worker", "celery", *"--app orderflow worker --pool threads --concurrency 2 -l INFO".split())


def start_beat(children: Children) -> None:
    children.start("beat", "celery", *"--app orderflow beat -l INFO".split())


def wait_for_web(children: Children, port: int) -> None:
    """Until the log-in page is there. Raises `CommandError`."""
    end = time.monotonic() + WEB_ANSWERS_WITHIN_S
    while not _answers(port):
        children.check()
        if time.monotonic() > end:
            raise CommandError(f"The web process does not answer. Look into {children.log('web')}.")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/admin/login/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
