"""Receivers of webhooks: real servers that keep what they heard, and answer or misbehave as they are told."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, kw_only=True)
class Heard:
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(kw_only=True)
class Scripted:
    """`answers` are given one after the other, the last one for ever: a status, a status with headers and body, or
    something to do with the handler."""

    url: str
    answers: list[Any] = field(default_factory=lambda: [204])
    heard: list[Heard] = field(default_factory=list)
    # Whatever waits for something waits for this, at most.
    end: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.heard = Heard(path=self.path, headers=headers, body=body, connection=self.client_address[1])
        self.server.script.heard.append(self.heard)
        self.give(self.server.script.next_answer())

    def give(self, answer: Any) -> None:
        if callable(answer):
            answer(self)
        else:
            self.say(*(answer if isinstance(answer, tuple) else (answer, {}, b"")))

    def say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = Scripted(url=f"{'https' if context else 'http'}://localhost:{self.server_address[1]}/hook")
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a client that says nothing holds up nobody else.
        if self._context:
            request = self._context.wrap_socket(request, server_side=True)
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to tell."""


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """On a free port of the loopback, with TLS if there is a context for it."""
    with Server(context) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.script
        finally:
            server.script.end.set()
            server.shutdown()


def judge(verdict: Callable[[Heard], Any]) -> Callable[[Any], None]:
    """To each message the answer that `verdict` has for it."""
    return lambda handler: handler.give(verdict(handler.heard))


def silence(script: Scripted) -> Callable[[Any], None]:
    def hang(handler: Any) -> None:
        script.end.wait(30)
        handler.close_connection = True

    return hang


def drip(script: Scripted, beginning: bytes, drop: bytes) -> Callable[[Any], None]:
    """A byte or two every now and then, for ever."""

    def go_on(handler: Any) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(beginning)
            while not script.end.wait(0.05):
                handler.wfile.write(drop)
                handler.wfile.flush()

    return go_on


@contextmanager
def deaf() -> Iterator[int]:
    """The port of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


class Authority:
    """A throw-away authority for certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-away CA")])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), True
        )
        certificate = builder.add_extension(usage, True).sign(self._key, hashes.SHA256())
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """For a server that goes by these names and addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(*names))
        return context

    def issue(self, *names: str) -> Path:
        """A file with a server's private key and certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = self._builder(subject, key).add_extension(alternatives, False).sign(self._key, hashes.SHA256())
        file = self._folder / f"{names[0]}-{time.monotonic_ns()}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return file

    def _builder(self, subject: x509.Name, key: Key) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )
        # Python 3.13 wants both of every certificate.
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(identifier, False).add_extension(issuer, False)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
