"""An SMTP server that keeps what it is sent, on a free loopback port."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Thread


@dataclass
class Mailbox:
    """`refusing` is the answer to each mail instead of taking it, such as "451 Later.". `unknown` has the answers to
    recipients that are not taken."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refusing: str = ""
    unknown: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        box: Mailbox = self.server.box  # type: ignore[attr-defined] # set below
        self._say("220 Here.")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"QUIT":
                self._say("221 Bye.")
                return
            if command == b"DATA" and not box.refusing:
                self._say("354 Go on.")
                box.mails.append(self._mail())
            box.asked += command == b"DATA"
            recipient = line.decode().partition("<")[2].partition(">")[0] if command == b"RCPT" else ""
            self._say(box.refusing if command == b"DATA" and box.refusing else box.unknown.get(recipient, "250 Fine."))

    def _mail(self) -> EmailMessage:
        lines = iter(self.rfile.readline, b".\r\n")
        content = b"".join(line.removeprefix(b".") for line in lines)
        return message_from_bytes(content, policy=policy.default)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        box = server.box = Mailbox(port=server.server_address[1])  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, daemon=True).start()
        yield box
        server.shutdown()
