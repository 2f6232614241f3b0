"""Private keys, as text, into keys to log in with."""

from io import StringIO

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey

from connectors.exceptions import ConfigError
from connectors.sftp.keys.host_keys import SHORTEST_RSA
from connectors.sftp.keys.kdf_cost import MOST_ROUNDS, is_affordable
from connectors.sftp.keys.private_key_text import entered_key, key_lines, unreadable

_KINDS: dict[type, type[PKey]] = {
    Ed25519PrivateKey: Ed25519Key,
    EllipticCurvePrivateKey: ECDSAKey,
    RSAPrivateKey: RSAKey,
}
_CURVES = {"secp256r1", "secp384r1", "secp521r1"}
_Key = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


def load_private_key(text: str, passphrase: str | None) -> PKey:
    """A stored key: Ed25519, ECDSA or RSA, in OpenSSH or PEM form. Raises `ConfigError` naming `private_key` or
    `passphrase`."""
    key = _supported(_decrypted(_readable(text), passphrase))
    for kind, paramiko_kind in _KINDS.items():
        if isinstance(key, kind):
            return _for_paramiko(key, paramiko_kind)
    raise _unsupported()


def read_private_key(text: str, passphrase: str | None, *, is_new: bool) -> str:
    """A key as it is stored, once it is known that it opens. `is_new` also applies what is asked of new keys only.

    Raises `ConfigError` naming `private_key` or `passphrase`.
    """
    pem = entered_key(text) if is_new else text
    _require_affordable(pem)
    key = _supported(_decrypted(key_lines(pem), passphrase))
    if is_new and isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise ConfigError(
            f"The private key is RSA with {key.key_size} bits, and {SHORTEST_RSA} are the least that is accepted. "
            "Create a new one, such as with ssh-keygen -t ed25519, and have its public key installed on the server.",
            field="private_key",
        )
    return pem


def _require_affordable(pem: str) -> None:
    try:
        affordable = is_affordable(pem)
    except ValueError as error:
        raise unreadable() from error
    if not affordable:
        raise ConfigError(
            "The private key's passphrase takes too long to check. Protect the key with fewer rounds, "
            f"{MOST_ROUNDS} at most: ssh-keygen -p -a 64 -f <file>.",
            field="private_key",
        )


def weakness(key: PKey | None) -> str:
    """What a test says of a stored key that would not be accepted any more."""
    if not isinstance(key, RSAKey) or key.get_bits() >= SHORTEST_RSA:
        return ""
    return f"The private key has only {key.get_bits()} bits: replace it by one of at least {SHORTEST_RSA}, or Ed25519."


def _readable(text: str) -> bytes:
    """Raises `ConfigError` for text that is recognisably no private key."""
    pem = key_lines(text)
    if b"-----BEGIN" not in pem or pem.startswith(b"PuTTY-User-Key-File"):
        entered_key(text)
    return pem


def _supported(key: object) -> _Key:
    if isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    raise _unsupported()


def _decrypted(pem: bytes, passphrase: str | None) -> object:
    if b"-----BEGIN DSA PRIVATE KEY" in pem:
        raise _unsupported()
    try:
        return _load(pem, None)
    except TypeError:
        # Cryptography's way to say that it is encrypted.
        return _unlocked(pem, passphrase)
    except UnsupportedAlgorithm as error:
        raise _unsupported() from error
    except ValueError as error:
        raise unreadable() from error


def _unlocked(pem: bytes, passphrase: str | None) -> object:
    if not passphrase:
        raise ConfigError("The private key is encrypted. Enter its passphrase.", field="passphrase")
    try:
        return _load(pem, passphrase.encode())
    except UnsupportedAlgorithm as error:
        raise _unsupported() from error
    except ValueError as error:
        raise ConfigError("The passphrase does not open the private key.", field="passphrase") from error


def _load(pem: bytes, passphrase: bytes | None) -> object:
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in pem else load_pem_private_key
    return load(pem, passphrase)


def _for_paramiko(key: _Key, kind: type[PKey]) -> PKey:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return kind.from_private_key(StringIO(text))


def _unsupported() -> ConfigError:
    return ConfigError(
        "The private key, or its encryption, is of a kind that is not supported. Use an Ed25519, ECDSA or RSA key as "
        "ssh-keygen creates it.",
        field="private_key",
    )
