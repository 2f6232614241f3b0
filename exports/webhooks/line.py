"""An open HTTP connection to a receiver, to an address that was checked, with an end for whatever is done over it."""

import select
import socket
import ssl
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from time import monotonic
from urllib.parse import SplitResult, urlunsplit

from django.conf import settings

from connectors.exceptions import ConfigError
from connectors.network.dial import dial
from connectors.network.watchdog import Watchdog
from exports.webhooks import address

CONNECT_S = 5
# Of an answer, no more is read.
READ_BYTES = 2048


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    """Raises `ConfigError`."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigError("WEBHOOK_CA_FILE holds no certificates. The operator has to correct it.") from error


class Line:
    """Opened for one URL, closed after any doubt. Never goes to another address by itself: it follows no redirect,
    knows no proxy, and does not connect again."""

    def __init__(self, url: SplitResult, ends_at: float) -> None:
        """`ends_at` is a time of the monotonic clock. Raises `ConnectorError`, `OSError`."""
        self._target = urlunsplit(("", "", url.path or "/", url.query, ""))
        sock = _dialed(url, ends_at)
        # The same connection by a second descriptor: the first one belongs to TLS from here on.
        self._watched = sock.dup()
        self._watchdog = Watchdog(self._watched)
        self._watchdog.allow_until(ends_at)
        try:
            self._http = _http(url, sock, ends_at)
        except BaseException:
            sock.close()
            self._stop_watching()
            raise

    @property
    def is_usable(self) -> bool:
        """The receiver keeps it open, and has said nothing since."""
        look = select.poll()
        look.register(self._watched, select.POLLIN)
        return self._http.sock is not None and not look.poll(0)

    def post(self, body: bytes, headers: dict[str, str], ends_at: float) -> tuple[HTTPResponse, bytes]:
        """The answer, and the beginning of its body. Raises `OSError`, `HTTPException`."""
        self._watchdog.allow_until(ends_at)
        self._http.request("POST", self._target, body, headers)
        answer = self._http.getresponse()
        if self._watchdog.barked:
            # Headers that were cut off look like headers that have ended.
            raise TimeoutError
        text = b""
        # What the status says holds, whatever becomes of the words behind it.
        with suppress(OSError, HTTPException):
            text = answer.read(READ_BYTES)
        if not answer.isclosed():
            self._http.close()
            answer.close()
        self._watchdog.rest()
        return answer, text

    def close(self) -> None:
        """Idempotent, never raises."""
        self._http.close()
        self._stop_watching()

    def _stop_watching(self) -> None:
        self._watchdog.stop()
        self._watched.close()


def _dialed(url: SplitResult, ends_at: float) -> socket.socket:
    deadline = min(ends_at, monotonic() + CONNECT_S)
    addresses = address.find(url, max(0, deadline - monotonic()))
    return dial(addresses, deadline)


def _http(url: SplitResult, sock: socket.socket, ends_at: float) -> HTTPConnection:
    host, port = str(url.hostname), address.port_of(url)
    sock.settimeout(max(0.001, ends_at - monotonic()))
    if url.scheme == "http":
        connection = HTTPConnection(host, port)
        connection.sock = sock
    else:
        trust = _trust(settings.WEBHOOK_CA_FILE)
        connection = HTTPSConnection(host, port, context=trust)
        connection.sock = trust.wrap_socket(sock, server_hostname=host)
    connection.auto_open = 0
    return connection
