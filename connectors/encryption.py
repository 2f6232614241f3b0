"""Secrets at rest: AES-256-GCM, bound to the row that they belong to.

Envelope: version (1 byte) | key id (8 bytes) | nonce (12 bytes) | ciphertext and tag.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
KEY_ID_SIZE = 8
NONCE_SIZE = 12
HEADER_SIZE = len(VERSION) + KEY_ID_SIZE + NONCE_SIZE


class EncryptionError(ValueError):
    """A key or an envelope that cannot be used; the text names the cause and never the content."""


class UnknownKeyError(EncryptionError):
    """The envelope was sealed with a key that the ring does not hold: the one with `key_id`."""

    def __init__(self, sealed_by: bytes) -> None:
        super().__init__(
            f"It was encrypted with key {sealed_by.hex()}, which is neither ENCRYPTION_MASTER_KEY "
            "nor one of ENCRYPTION_PREVIOUS_KEYS. Add that key."
        )
        self.key_id = sealed_by.hex()


def key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"orderflow key id" + key).digest()[:KEY_ID_SIZE]


def load_key(text: str) -> bytes:
    """32 bytes from URL-safe base64, padding optional."""
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncryptionError("An encryption key is not URL-safe base64.") from error
    if len(key) != 32:
        raise EncryptionError(f"An encryption key has {len(key)} bytes; AES-256 takes 32.")
    return key


class KeyRing:
    """Seals with the first key, opens with any."""

    def __init__(self, master: bytes, previous: Iterable[bytes] = ()) -> None:
        self.current_id = key_id(master)
        self._ciphers = {key_id(key): AESGCM(key) for key in (*previous, master)}

    @classmethod
    def from_text(cls, master: str, previous: Iterable[str] = ()) -> Self:
        return cls(load_key(master), [load_key(text) for text in previous])

    @property
    def key_ids(self) -> list[bytes]:
        return list(self._ciphers)

    def seal(self, plaintext: bytes, *, bound_to: bytes) -> bytes:
        nonce = os.urandom(NONCE_SIZE)
        ciphertext = self._ciphers[self.current_id].encrypt(nonce, plaintext, VERSION + bound_to)
        return VERSION + self.current_id + nonce + ciphertext

    def open(self, envelope: bytes, *, bound_to: bytes) -> bytes:
        """Raises `EncryptionError` for a wrong key, another row's envelope, or a changed byte."""
        sealed_by = sealing_key_id(envelope)
        cipher = self._ciphers.get(sealed_by)
        if cipher is None:
            raise UnknownKeyError(sealed_by)
        nonce, ciphertext = envelope[HEADER_SIZE - NONCE_SIZE : HEADER_SIZE], envelope[HEADER_SIZE:]
        try:
            return cipher.decrypt(nonce, ciphertext, VERSION + bound_to)
        except InvalidTag as error:
            raise EncryptionError("It was changed, or it belongs to another row.") from error


def envelopes_begin(identifier: bytes) -> bytes:
    """The first bytes of everything that the key with this id seals."""
    return VERSION + identifier


def sealing_key_id(envelope: bytes) -> bytes:
    if len(envelope) < HEADER_SIZE or envelope[:1] != VERSION:
        raise EncryptionError("It is nothing that this version encrypted.")
    return envelope[1 : 1 + KEY_ID_SIZE]
