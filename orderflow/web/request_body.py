"""The body of each HTTP request, received completely and decoded before the application sees the request."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

from django.conf import settings

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]
# Where the environ holds the `BodyFault` of a request whose body cannot be used.
FAULT = "orderflow.body_fault"
BLOCK = 65_536
IN_MEMORY = 262_144
# An upload goes to disk anyway, and Django itself limits the form fields beside it.
LARGEST_UPLOAD = 33_554_432
# What is read and dropped of a body that is too large: most clients read the response only after they sent everything.
DISCARDED = 33_554_432
GZIP = ("gzip", "x-gzip")
WITHOUT_BODY = ("GET", "HEAD", "DELETE", "OPTIONS")


class BodyFault(Exception):
    """Why a body cannot be used; `code` is one of the API's problem codes."""

    def __init__(self, code: str, text: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.headers = headers or {}


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def with_whole_bodies(application: WSGIApplication) -> WSGIApplication:
    """The application, called with bodies that are complete, have a Content-Length and no Content-Encoding.

    A request whose body is incomplete, too large or not decodable reaches the application without the body, and with a
    `BodyFault` in its environ.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with _spool() as body:
            try:
                _receive(environ, body)
            except BodyFault as fault:
                environ[FAULT] = fault
                body.seek(0)
                body.truncate()
            environ["CONTENT_LENGTH"] = str(body.seek(0, 2))
            body.seek(0)
            environ["wsgi.input"] = body
            for name in ("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING"):
                environ.pop(name, None)
            return application(environ, start_response)

    return call


def _spool() -> Any:
    return SpooledTemporaryFile(max_size=IN_MEMORY)


def _receive(environ: Mapping[str, Any], body: IO[bytes]) -> None:
    limit = _limit(environ)
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        _copy_body(environ, body, limit)
        return
    with _spool() as raw:
        _copy_body(environ, raw, limit)
        empty = not raw.tell()
        if empty and environ["REQUEST_METHOD"] in WITHOUT_BODY:
            return
        if encoding not in GZIP:
            text = f"The body's Content-Encoding is {encoding[:80]!r}. Send it as gzip, or uncompressed."
            raise BodyFault("unsupported_encoding", text, headers={"Accept-Encoding": "gzip"})
        raw.seek(0)
        _decompress(raw, body, limit)


def _limit(environ: Mapping[str, Any]) -> int:
    is_upload = environ.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data")
    is_upload = is_upload and not environ.get("PATH_INFO", "").startswith("/api/")
    return LARGEST_UPLOAD if is_upload else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def _copy_body(environ: Mapping[str, Any], body: IO[bytes], limit: int) -> None:
    length = _framed_length(environ)
    source: _Source = environ["wsgi.input"]
    if length is None and not environ.get("wsgi.input_terminated"):
        return
    received = 0
    while block := _read(source, BLOCK if length is None else min(BLOCK, length - received)):
        received += len(block)
        if max(received, length or 0) > limit:
            _discard(source, length, received)
            raise _too_large(limit)
        body.write(block)
    if received < (length or 0):
        raise BodyFault("broken_off", f"The body ends after {received} of {length} bytes. Send it again.")


def _framed_length(environ: Mapping[str, Any]) -> int | None:
    """What Content-Length says; None without one."""
    declared = environ.get("CONTENT_LENGTH") or None
    codings = [coding.strip().lower() for coding in environ.get("HTTP_TRANSFER_ENCODING", "").split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if declared is not None and not (declared.isascii() and declared.isdigit()):
        raise BodyFault("bad_request", f"Content-Length is {declared[:40]!r}, which is not a number of bytes.")
    if not codings:
        return None if declared is None else int(declared)
    if declared is not None:
        raise BodyFault("bad_request", "Content-Length and Transfer-Encoding exclude each other. Send one of them.")
    if codings != ["chunked"]:
        text = "The only supported Transfer-Encoding is chunked. Compress the body with Content-Encoding: gzip."
        raise BodyFault("bad_request", text)
    if not environ.get("wsgi.input_terminated"):
        raise BodyFault("length_required", "This server does not decode chunked bodies. Send a Content-Length.")
    return None


def _read(source: _Source, size: int) -> bytes:
    try:
        return source.read(size)
    except OSError as error:
        raise BodyFault("broken_off", "The body did not arrive completely. Send it again.") from error
    except Exception as error:
        # Each server has its own exceptions for chunks that it cannot read.
        raise BodyFault("bad_request", "The body's chunks are malformed. Check the framing of the body.") from error


def _discard(source: _Source, length: int | None, received: int) -> None:
    end = DISCARDED if length is None else min(length, DISCARDED)
    while received < end and (block := _read(source, min(BLOCK, end - received))):
        received += len(block)


def _decompress(raw: IO[bytes], body: IO[bytes], limit: int) -> None:
    decoded = 0
    try:
        with gzip.GzipFile(fileobj=raw, mode="rb") as compressed:
            while block := compressed.read(BLOCK):
                decoded += len(block)
                if decoded > limit:
                    raise _too_large(limit)
                body.write(block)
    except EOFError as error:
        raise BodyFault("bad_encoding", "The gzip body is incomplete. Send it again.") from error
    except (OSError, zlib.error) as error:
        text = "The body is not gzip, as its Content-Encoding says, or it is damaged. Send it again, or uncompressed."
        raise BodyFault("bad_encoding", text) from error
    if not raw.tell():
        raise BodyFault("bad_encoding", "The body is empty, which is not gzip. Leave Content-Encoding out.")


def _too_large(limit: int) -> BodyFault:
    return BodyFault("too_large", f"The body is larger than {limit} bytes. Send less at once.")
