"""A private key as people paste it: the key's own lines, and what the text is if it holds no private key."""

import re
from collections.abc import Sequence

from connectors.exceptions import ConfigError
from connectors.text.pasted import tidy

# An RSA key of 8192 bits has 6,400 characters, and takes seconds to check; a longer one takes minutes.
LONGEST_KEY, LONGEST = 8_000, 40_000
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_PRIVATE = "PRIVATE KEY"
# What `openssl ecparam -genkey` writes before the key.
_HARMLESS = {"EC PARAMETERS"}
_PUBLIC_LINE = re.compile(r"^(ssh-|ecdsa-|sk-ssh-|sk-ecdsa-)[a-z0-9@.-]+ AAAA", re.MULTILINE)
_CERTIFICATE_LINE = re.compile(r"^[a-z0-9@.-]+-cert-v0[0-9]@openssh\.com ", re.MULTILINE)
_CERTIFICATES = "OrderFlow logs in with the private key alone."


def entered_key(text: str) -> str:
    """The private key in `text`, in plain lines. Raises `ConfigError` where there is not exactly one."""
    if len(text) > LONGEST:
        raise _wrong("This is too long for a private key. Paste only the key.")
    text = tidy(text)
    if "\n" not in text:
        # From a JSON file or an environment variable.
        text = tidy(text.replace("\\n", "\n"))
    if "PuTTY-User-Key-File" in text:
        raise _putty()
    blocks = [*_BLOCK.finditer(text)]
    private = [found for found in blocks if found[1].endswith(_PRIVATE)]
    if not private:
        raise _no_private_key(text, [found[1] for found in blocks])
    if len(private) > 1:
        raise _wrong(f"The text holds {len(private)} private keys. Paste only the one to log in with.")
    _require_nothing_else(text, [found[1] for found in blocks if found is not private[0]], private[0].end())
    label, body = private[0].groups()
    if len(body) > LONGEST_KEY:
        raise _wrong("The private key is too long. Use Ed25519, ECDSA, or RSA with at most 8192 bits.")
    return f"-----BEGIN {label}-----\n{_wrapped(body)}\n-----END {label}-----"


def key_lines(text: str) -> bytes:
    """A stored key as its reader takes it: browsers send forms with CRLF, and pasting loses the last line's end."""
    return f"{tidy(text)}\n".encode("ascii", "replace")


def _wrapped(body: str) -> str:
    """Some forms and password stores replace each line break by a blank."""
    inside = body.strip("\n")
    return inside if "\n" in inside or ":" in inside else "\n".join(inside.split())


def _require_nothing_else(text: str, labels: Sequence[str], end: int) -> None:
    if any("CERTIFICATE" in label for label in labels) or _CERTIFICATE_LINE.search(text):
        raise _wrong(f"A certificate comes with the private key. {_CERTIFICATES} Remove the certificate.")
    others = [label for label in labels if label not in _HARMLESS]
    if others or _PUBLIC_LINE.search(text) or text[end:].strip():
        raise _wrong(
            "The text holds more than the private key. Paste only the key, from '-----BEGIN' to '-----END …-----'."
        )


def _no_private_key(text: str, labels: Sequence[str]) -> ConfigError:
    if _CERTIFICATE_LINE.search(text) or any("CERTIFICATE" in label for label in labels):
        return _wrong(f"This is a certificate. {_CERTIFICATES} Enter the private key that belongs to it.")
    if _PUBLIC_LINE.search(text) or "SSH2 PUBLIC KEY" in text or any(label.endswith("PUBLIC KEY") for label in labels):
        return _wrong("This is the public key. Enter the private key that belongs to it.")
    if "SSH2 ENCRYPTED PRIVATE KEY" in text:
        return _wrong(
            "The private key is in the form of ssh.com. Open it in PuTTYgen and export it as an OpenSSH key: "
            "Conversions > Export OpenSSH key."
        )
    begins, ends = (re.search(rf"-----{word} [A-Z0-9 ]*{_PRIVATE}", text) for word in ("BEGIN", "END"))
    if begins and not ends:
        return _wrong("The end of the private key is missing. Paste the whole file, up to the last '-----'.")
    if ends and not begins:
        return _wrong("The beginning of the private key is missing. Paste the whole file, from '-----BEGIN'.")
    return unreadable()


def unreadable() -> ConfigError:
    return _wrong("The private key cannot be read. Paste the whole file, from '-----BEGIN' to the last '-----'.")


def _putty() -> ConfigError:
    return _wrong(
        "The private key is in PuTTY's form (.ppk). Open it in PuTTYgen and export it as an OpenSSH key: "
        "Conversions > Export OpenSSH key."
    )


def _wrong(text: str) -> ConfigError:
    return ConfigError(text, field="private_key")
