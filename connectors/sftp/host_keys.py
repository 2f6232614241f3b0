"""Host keys as text, and the comparison with the one that is pinned."""

import base64
import binascii
import hashlib

from connectors.exceptions import ConfigError, UnknownHostKeyError
from connectors.hostile_text import tame
from connectors.sftp.target import SFTPTarget

# In the order of preference; what comes last costs the server most.
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA_TYPES = ("rsa-sha2-512", "rsa-sha2-256")


def as_text(kind: str, blob: bytes) -> str:
    return f"{kind} {base64.b64encode(blob).decode()}"


def fingerprint(blob: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def pinned_blob(host_key: str) -> bytes | None:
    """None where none is pinned yet. Raises `ConfigError`."""
    if not host_key.strip():
        return None
    try:
        _, encoded = host_key.split()[:2]
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ConfigError(
            "The host key does not read '<type> <base64>'. Test the connection to see it.", field="host_key"
        ) from error


def negotiable_types(host_key: str) -> tuple[str, ...]:
    """The pinned key's type first: a server with several keys shows that one. Another one that it shows instead is
    then seen, and refused, with its fingerprint."""
    pinned = host_key.partition(" ")[0]
    first = _RSA_TYPES if pinned == "ssh-rsa" else (pinned,)
    every = (*_TYPES, *_RSA_TYPES)
    return tuple(sorted(every, key=lambda kind: kind not in first))


def check(target: SFTPTarget, kind: str, blob: bytes) -> None:
    """Raises `UnknownHostKeyError` unless the server showed the pinned key."""
    pinned = pinned_blob(target.host_key)
    if blob == pinned:
        return
    shown = fingerprint(blob)
    if pinned is None:
        message = f"{tame(target.host)} shows the host key {shown}, and none is pinned yet. Compare it, then accept it."
    else:
        message = (
            f"{tame(target.host)} shows the host key {shown} instead of the pinned {fingerprint(pinned)}. "
            "Nothing was sent. Ask the server's operator whether the key was changed before you accept it."
        )
    raise UnknownHostKeyError(message, host_key=as_text(kind, blob), fingerprint=shown)
