"""A socket, Paramiko's transport on it and the watchdog over both: opened and closed as one."""

import logging
import select
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

from paramiko import Message, Transport

from connectors.network.watchdog import Watchdog
from connectors.text.sanitize import tame

# Encryption and check in one pass first: the fastest here, and on most servers. No CBC, 3DES, MD5 or SHA-1.
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")

# Paramiko logs what servers send, and every failure with its traceback; here failures are raised, and their text tamed.
_LOG = "connectors.sftp.paramiko"
logging.getLogger(_LOG).setLevel(logging.CRITICAL + 1)

_JOIN_S = 5
_LATER_S = 60


class Farewell(NamedTuple):
    """The code of RFC 4253 (11.1) and the words with which a server disconnects; the words are tamed."""

    code: int
    words: str


class _Transport(Transport):
    """Keeps the server's farewell, which Paramiko only logs."""

    farewell: Farewell | None = None

    def _parse_disconnect(self, message: Message) -> None:
        self.farewell = Farewell(message.get_int(), tame(message.get_string()))


class Link:
    def __init__(self, sock: socket.socket, *, peer: str, timeout_s: float, host_key_types: tuple[str, ...]) -> None:
        self.peer = peer
        self.patience = f"{timeout_s:g} s"
        self._sock = sock
        self.transport = _Transport(sock)
        self.transport.set_log_channel(_LOG)
        options = self.transport.get_security_options()
        options.ciphers, options.digests, options.key_types = CIPHERS, MACS, host_key_types
        # The watchdog ends them all. Paramiko's own limits, were they first, would look like a log-in that was refused.
        own_s = timeout_s + _LATER_S
        self.transport.banner_timeout = self.transport.handshake_timeout = own_s
        self.transport.auth_timeout = self.transport.channel_timeout = own_s
        self.watchdog = Watchdog(sock)

    @property
    def is_quiet(self) -> bool:
        """Up, with nothing to read: neither an end of the connection nor a word that the transport has yet to see."""
        look = select.poll()
        try:
            look.register(self._sock, select.POLLIN)
        except ValueError:
            # The transport has met the end, and closed the socket.
            return False
        return not look.poll(0) and self.transport.is_active()

    def abort(self) -> None:
        """End the connection at once, from any thread: whatever waits for it wakes. What was written and not sent yet
        is discarded when it is closed. Never raises."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Idempotent, never raises; leaves no thread and no socket behind."""
        self.watchdog.stop()
        # Wakes the transport's thread, which then ends by itself; closing the socket under it would not be safe.
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self.transport.ident is not None:
            self.transport.join(_JOIN_S)
        # Ends the timer that the key exchange started, if it did not come to its end.
        self.transport.packetizer.complete_handshake()
        self.transport.close()
        self._sock.close()
