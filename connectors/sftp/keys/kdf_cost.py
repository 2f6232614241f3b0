"""How long an encrypted private key takes to open: its creator chose that, and a web process has to wait for it."""

import base64
import math
import re
from collections.abc import Callable

# OpenSSH's bcrypt takes a second for about 100 rounds; `ssh-keygen` uses 16 or 24.
MOST_ROUNDS = 256
# PBKDF2: about a second; scrypt: 128 MB.
MOST_ITERATIONS, MOST_SCRYPT = 3_000_000, 2**20
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_OPENSSH = b"openssh-key-v1\0"
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END", re.DOTALL)
_INTEGER = 2
_CONSTRUCTED = 0x20


def is_affordable(pem: str) -> bool:
    """False for a key whose derivation takes more than a few seconds or very much memory.

    Raises `ValueError` for an encrypted key whose parameters cannot be read.
    """
    return all(_is_affordable(label, encoded) for label, encoded in _BLOCK.findall(pem))


def _is_affordable(label: str, encoded: str) -> bool:
    if label not in _CHECKED:
        return True
    try:
        return _CHECKED[label](base64.b64decode("".join(encoded.split()), validate=True))
    except (IndexError, RecursionError) as error:
        raise ValueError("The parameters cannot be read.") from error


def _is_affordable_openssh(raw: bytes) -> bool:
    return _rounds(raw) <= MOST_ROUNDS


def _rounds(raw: bytes) -> int:
    """bcrypt's rounds; 0 for a key without a passphrase."""
    rest = raw.removeprefix(_OPENSSH)
    for _ in ("cipher", "kdf"):
        _, rest = _text(rest)
    options, _ = _text(rest)
    return int.from_bytes(_text(options)[1][:4], "big") if options else 0


def _text(raw: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + length], raw[4 + length :]


def _is_affordable_pkcs8(der: bytes) -> bool:
    """EncryptedPrivateKeyInfo: a sequence of the algorithm with its parameters, and the data."""
    _, whole, _ = _element(der)
    _, algorithm, _ = _element(whole)
    numbers = [*_integers(algorithm)]
    if _SCRYPT in algorithm:
        return math.prod(numbers) <= MOST_SCRYPT
    return max(numbers, default=0) <= MOST_ITERATIONS


def _integers(der: bytes) -> list[int]:
    found: list[int] = []
    while der:
        tag, content, der = _element(der)
        if tag == _INTEGER:
            found.append(int.from_bytes(content, "big"))
        elif tag & _CONSTRUCTED:
            found += _integers(content)
    return found


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows the first element."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return tag, der[start : start + length], der[start + length :]


_CHECKED: dict[str, Callable[[bytes], bool]] = {
    "OPENSSH PRIVATE KEY": _is_affordable_openssh,
    "ENCRYPTED PRIVATE KEY": _is_affordable_pkcs8,
}
