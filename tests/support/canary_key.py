"""A private key that can be used, and whose text contains a word that must not be seen anywhere."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def canary_key(word: str) -> str:
    """Another key for each word, of letters and digits. The comment is chosen so that `word` is in the base64."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(word.encode()).digest())
    seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    kind = _field(b"ssh-ed25519") + _field(public)
    head = b"openssh-key-v1\0" + _field(b"none") * 2 + _field(b"") + (1).to_bytes(4, "big") + _field(kind)
    before = b"\0" * 8 + kind + _field(seed + public)
    # Base64 takes three bytes at once, and the word's length is made a multiple of four.
    aligned = b" " * (-(len(head) + 4 + len(before) + 4) % 3)
    private = before + _field(aligned + base64.b64decode(word + "0" * (-len(word) % 4)))
    private += bytes(range(1, 1 + -len(private) % 8))
    body = base64.b64encode(head + _field(private)).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----"


def _field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
