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

_KINDS: dict[type, type[PKey]] = {
    Ed25519PrivateKey: Ed25519Key,
    EllipticCurvePrivateKey: ECDSAKey,
    RSAPrivateKey: RSAKey,
}
_Key = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


def load_private_key(text: str, passphrase: str | None) -> PKey:
    """Ed25519, ECDSA or RSA, in OpenSSH or PEM form. Raises `ConfigError` naming `private_key` or `passphrase`."""
    key = _decrypted(_normalised(text), passphrase)
    for kind, paramiko_kind in _KINDS.items():
        if isinstance(key, kind):
            return _for_paramiko(key, paramiko_kind)  # type: ignore[arg-type]  # isinstance of a value of type[...]
    raise ConfigError(
        "The private key is of a kind that is not supported. Use Ed25519, ECDSA or RSA.", field="private_key"
    )


def _normalised(text: str) -> bytes:
    """Browsers send forms with CRLF; pasting loses the last line's end."""
    lines = [line.strip() for line in text.strip().splitlines()]
    first = lines[0] if lines else ""
    if first.startswith("PuTTY-User-Key-File"):
        raise ConfigError(
            "The private key is in PuTTY's form. Open it in PuTTYgen and export it as an OpenSSH key.",
            field="private_key",
        )
    if first.startswith(("ssh-", "ecdsa-")):
        raise ConfigError("This is the public key. Enter the private key that belongs to it.", field="private_key")
    return "\n".join([*lines, ""]).encode("ascii", "replace")


def _decrypted(pem: bytes, passphrase: str | None) -> object:
    try:
        return _load(pem, None)
    except TypeError:
        # Cryptography's way to say that it is encrypted.
        return _unlocked(pem, passphrase)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unreadable() from error


def _unlocked(pem: bytes, passphrase: str | None) -> object:
    if not passphrase:
        raise ConfigError("The private key is encrypted. Enter its passphrase.", field="passphrase")
    try:
        return _load(pem, passphrase.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError("The passphrase does not open the private key.", field="passphrase") from error


def _load(pem: bytes, passphrase: bytes | None) -> object:
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in pem else load_pem_private_key
    return load(pem, passphrase)


def _for_paramiko(key: _Key, kind: type[PKey]) -> PKey:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return kind.from_private_key(StringIO(text))


def _unreadable() -> ConfigError:
    return ConfigError(
        "The private key cannot be read. Paste the whole file, from '-----BEGIN' to the last '-----'.",
        field="private_key",
    )
