"""Host keys as text, and the comparison with those that are pinned."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from connectors.exceptions import ConfigError, UnknownHostKeyError
from connectors.sftp.target import SFTPTarget
from connectors.text.sanitize import tame

# In the order of preference; what comes last costs the server most.
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA_TYPES = ("rsa-sha2-512", "rsa-sha2-256")
SHOWN_TYPES = (*_TYPES, "ssh-rsa")
SHORTEST_RSA = 2048
FINGERPRINT = "SHA256:"


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedKey:
    """One accepted host key. `kind` is its type, empty where only a fingerprint is known; `fingerprint` as
    `fingerprint()` returns it. `is_whole` says whether the key itself is stored, and not only its fingerprint."""

    kind: str
    fingerprint: str
    is_whole: bool


def as_text(kind: str, blob: bytes) -> str:
    return f"{kind} {base64.b64encode(blob).decode()}"


def fingerprint(blob: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    return FINGERPRINT + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def pinned_keys(host_key: str) -> tuple[PinnedKey, ...]:
    """The accepted keys of a stored config, one a line. Raises `ConfigError`."""
    try:
        return tuple(_pinned(line.split()) for line in host_key.splitlines() if line.strip())
    except (ValueError, binascii.Error) as error:
        raise ConfigError(
            "The host key does not read '<type> <base64>'. Test the connection to see it.", field="host_key"
        ) from error


def _pinned(words: Sequence[str]) -> PinnedKey:
    if words[-1].startswith(FINGERPRINT):
        return PinnedKey(kind=words[0] if len(words) > 1 else "", fingerprint=words[-1], is_whole=False)
    kind, encoded = words[:2]
    return PinnedKey(kind=kind, fingerprint=fingerprint(base64.b64decode(encoded, validate=True)), is_whole=True)


def negotiable_types(host_key: str) -> tuple[str, ...]:
    """The types of the pinned keys first: a server with several keys shows one of those. Another one that it shows
    instead is then seen, and refused, with its fingerprint. Raises `ConfigError`."""
    pinned = {key.kind for key in pinned_keys(host_key)}
    first = {*pinned, *(_RSA_TYPES if "ssh-rsa" in pinned else ())}
    every = (*_TYPES, *_RSA_TYPES)
    return tuple(sorted(every, key=lambda kind: kind not in first))


def weakness(kind: str, blob: bytes) -> str:
    """Why a host key is not accepted any more, as a clause; empty for one that is. Raises `ValueError` or
    `UnsupportedAlgorithm` for what is no key of this type."""
    key = load_ssh_public_key(as_text(kind, blob).encode())
    if isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_RSA:
        return f"RSA with {key.key_size} bits, and {SHORTEST_RSA} are the least that is accepted"
    return ""


def check(target: SFTPTarget, kind: str, blob: bytes) -> str:
    """What a test says of the key. Raises `ConfigError`, an `UnknownHostKeyError` where it can be accepted, unless the
    server showed a pinned key."""
    pinned, shown, weak = pinned_keys(target.host_key), fingerprint(blob), weakness(kind, blob)
    found = [key for key in pinned if key.fingerprint == shown]
    # A whole key of this length was stored by an earlier version; of a fingerprint nobody could see it until now.
    if any(key.is_whole or not weak for key in found):
        which = f", one of {len(pinned)} accepted keys" if len(pinned) > 1 else ""
        return f"{shown}{which}. It is {weak}: ask the server's operator for a new one." if weak else shown + which
    if weak:
        raise ConfigError(
            f"{tame(target.host)} shows the host key {shown}, which is {weak}. Nothing was sent. Its operator has to "
            "create a new key, such as Ed25519.",
            field="host_key",
        )
    raise UnknownHostKeyError(
        f"{tame(target.host)} shows the host key {shown}{_instead(pinned)}",
        host_key=as_text(kind, blob),
        fingerprint=shown,
    )


def _instead(pinned: Sequence[PinnedKey]) -> str:
    if not pinned:
        return ", and none is pinned yet. Compare it, then accept it."
    known = " or ".join(key.fingerprint for key in pinned)
    other = " If the pinned one belongs to a key of another type, put the type before it, such as 'ssh-rsa SHA256:…'."
    return (
        f" instead of the pinned {known}. Nothing was sent. Ask the server's operator whether the key was changed "
        f"before you accept it.{'' if all(key.kind for key in pinned) else other}"
    )
