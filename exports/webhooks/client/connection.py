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
from exports.webhooks.client import url_policy

CONNECT_S = 5
# Of a response, no more is read, and not for longer.
READ_BYTES = 2048
EXCERPT_S = 1


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
        # A success whose text has not been read.
        self._unread: HTTPResponse | None = None
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

    def is_usable(self) -> bool:
        """The receiver keeps it open, and has sent nothing beyond its last response."""
        if self._http.sock is None or not self._is_read():
            return False
        look = select.poll()
        look.register(self._watched, select.POLLIN)
        return not look.poll(0)

    def post(self, body: bytes, headers: dict[str, str], ends_at: float) -> tuple[HTTPResponse, bytes]:
        """The response, and the beginning of its body; of a success, nothing is read. Raises `OSError`,
        `HTTPException`."""
        self._watchdog.allow_until(ends_at)
        self._http.sock.settimeout(max(0.001, ends_at - monotonic()))
        self._http.request("POST", self._target, body, headers)
        response = self._http.getresponse()
        if self._watchdog.barked:
            # Headers that were cut off look like headers that have ended.
            raise TimeoutError
        self._watchdog.rest()
        if 200 <= response.status < 300:
            self._leave(response)
            return response, b""
        self._watchdog.allow_until(min(ends_at, monotonic() + EXCERPT_S))
        text = _beginning(response)
        self._watchdog.rest()
        if self._watchdog.barked or not response.isclosed():
            self._drop(response)
        return response, text

    def close(self) -> None:
        """Idempotent, never raises."""
        if self._unread:
            self._unread.close()
        self._http.close()
        self._stop_watching()

    def _leave(self, response: HTTPResponse) -> None:
        """Leave the body unread. If it is short and has arrived by the next message, the connection is reused."""
        if response.length is not None and response.length <= READ_BYTES:
            self._unread = response
        else:
            self._drop(response)

    def _is_read(self) -> bool:
        """Read what `_leave` left, without waiting. Whether it was complete."""
        response, self._unread = self._unread, None
        if response is None:
            return True
        expected = response.length
        text: bytes | None = b""
        self._http.sock.settimeout(0)
        with suppress(OSError, HTTPException):
            # On a socket that does not block, an incomplete body comes back short or as None.
            text = response.read(expected)
        response.close()
        return len(text or b"") == expected

    def _drop(self, response: HTTPResponse) -> None:
        response.close()
        self.close()

    def _stop_watching(self) -> None:
        self._watchdog.stop()
        self._watched.close()


def _beginning(response: HTTPResponse) -> bytes:
    """As much as arrived; the status is valid whatever becomes of the body."""
    text = b""
    with suppress(OSError, HTTPException):
        while piece := response.read1(READ_BYTES - len(text)):
            text += piece
    if response.length == 0:
        response.close()
    return text


def _dialed(url: SplitResult, ends_at: float) -> socket.socket:
    deadline = min(ends_at, monotonic() + CONNECT_S)
    addresses = url_policy.find(url, max(0, deadline - monotonic()))
    return dial(addresses, deadline)


def _http(url: SplitResult, sock: socket.socket, ends_at: float) -> HTTPConnection:
    host, port = str(url.hostname), url_policy.port_of(url)
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
