"""Whoever is told: signed messages go to one URL, each with an answer in time or none."""

import base64
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Self

from standardwebhooks import Webhook

from connectors.exceptions import ConnectorError
from connectors.text.sanitize import tame
from exports.webhooks.client import redirects, retry_after, url_policy
from exports.webhooks.client.connection import CONNECT_S, Line

# When a try is cut, whatever the receiver does.
TRY_S = 10

REDIRECTS = (301, 302, 303, 307, 308)

HEADERS = {"Content-Type": "application/json", "User-Agent": "OrderFlow"}

# The first that fits.
WORDS: dict[type[Exception], str] = {
    TimeoutError: f"The receiver took no connection within {CONNECT_S} s. Check host and port.",
    ConnectionRefusedError: "The receiver refused the connection: nothing listens there. Check host and port.",
    ConnectionError: "The receiver hung up without an answer.",
    HTTPException: "The receiver's answer is not HTTP.",
}


def fresh_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """`status` is the HTTP status, None where `error` says why there is none; of a redirect, `error` says what to do.
    `text` is the beginning of a refusal, `retry_after_s` what the receiver asked for."""

    status: int | None = None
    error: str = ""
    text: str = ""
    retry_after_s: float | None = None
    duration_ms: int = 0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver wants to hear nothing more."""
        return self.status == 410

    @property
    def limited(self) -> bool:
        """The receiver takes no more at the moment; the message itself is not at fault."""
        return self.status == 429

    def __str__(self) -> str:
        if self.status is None:
            return self.error
        said = f" and said: {self.text}" if self.text else "."
        return f"The receiver answered with HTTP status {self.status}" + (f". {self.error}" if self.error else said)


@dataclass(kw_only=True, slots=True)
class Receiver:
    """Signs with each of `secrets`. Keeps its connection from one message to the next; to be closed."""

    url: str
    secrets: Sequence[str]
    try_s: float = TRY_S
    _line: Line | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post(self, webhook_id: str, payload: str) -> Answer:
        """Signed anew for each try, because the receiver refuses an old time. Never raises for what it runs into."""
        started = monotonic()
        now = datetime.now(UTC)
        signed = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, now, payload) for secret in self.secrets),
        }
        try:
            response, text = self._opened(started).post(payload.encode(), HEADERS | signed, started + self.try_s)
        except ConnectorError as error:
            outcome = Answer(error=str(error), duration_ms=_ms_since(started))
        except (OSError, HTTPException) as error:
            # Its end looks like a connection that was lost.
            overdue = monotonic() - started >= self.try_s
            words = f"The receiver did not answer within {self.try_s:g} s." if overdue else _words(error)
            outcome = Answer(error=words, duration_ms=_ms_since(started))
        else:
            return _answer(self.url, response, text, _ms_since(started))
        self.close()
        return outcome

    def close(self) -> None:
        line, self._line = self._line, None
        if line:
            line.close()

    def _opened(self, started: float) -> Line:
        if self._line and not self._line.is_usable():
            self.close()
        if self._line is None:
            self._line = Line(url_policy.checked(self.url), started + self.try_s)
        return self._line


def _answer(url: str, response: HTTPResponse, text: bytes, duration_ms: int) -> Answer:
    location = response.headers.get("Location", "") if response.status in REDIRECTS else ""
    return Answer(
        status=response.status,
        error=redirects.advice(url, location) if location else "",
        text=tame(text),
        retry_after_s=retry_after.seconds(response.headers) if response.status in (429, 503) else None,
        duration_ms=duration_ms,
    )


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The receiver's certificate is not trusted: {tame(error.verify_message)}."
    if isinstance(error, ssl.SSLError):
        return f"The receiver does not speak TLS as it should: {tame(error.reason or '') or 'it hung up'}."
    fitting = (text for kind, text in WORDS.items() if isinstance(error, kind))
    return next(fitting, "The receiver cannot be reached. Check host and port, and the network between.")


def _ms_since(started: float) -> int:
    return round((monotonic() - started) * 1000)
