"""An S3 service other than Amazon's: it keeps objects, and rejects the checksums that newer SDKs send by default."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOT_IMPLEMENTED = b"<Error><Code>NotImplemented</Code><Message>A header is not implemented.</Message></Error>"


class _Handler(BaseHTTPRequestHandler):
    server: "OldS3"
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value.lower() for name, value in self.headers.items()}
        unknown = {"x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-decoded-content-length"} & set(headers)
        if unknown or "aws-chunked" in headers.get("content-encoding", ""):
            self._respond(501, NOT_IMPLEMENTED)
            return
        self.server.objects[self.path] = body
        self._respond(200, b"")

    def do_GET(self) -> None:
        if self.headers.get("x-amz-checksum-mode"):
            self._respond(501, NOT_IMPLEMENTED)
        elif self.path in self.server.objects:
            self._respond(200, self.server.objects[self.path])
        else:
            self._respond(404, b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"etag"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class OldS3(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def old_s3() -> Iterator[OldS3]:
    with OldS3() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
