"""Host keys as the usual tools print them, into the lines that are stored."""

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import pairwise

from cryptography.exceptions import UnsupportedAlgorithm

from connectors.exceptions import WrongFieldError
from connectors.sftp.keys.host_keys import FINGERPRINT, SHORTEST_RSA, SHOWN_TYPES, as_text, weakness
from connectors.sftp.keys.known_hosts import Named, require_one_server
from connectors.text.pasted import tidy
from connectors.text.sanitize import tame

# More than a server shows during a change of all its keys.
MOST, LONGEST = 10, 100_000
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}", re.ASCII)
_TYPE = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+", re.ASCII)
_SHA256 = re.compile(r"SHA256:([A-Za-z0-9+/]*)", re.ASCII)
_MD5 = re.compile(r"(MD5:)?([0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2}\b", re.ASCII)
_BITS = re.compile(r"[0-9]{3,5}", re.ASCII)
_NAMES = {"ED25519": "ssh-ed25519", "RSA": "ssh-rsa", "DSA": "ssh-dss"}
_CURVES = {"256": "ecdsa-sha2-nistp256", "384": "ecdsa-sha2-nistp384", "521": "ecdsa-sha2-nistp521"}
_SSH2 = re.compile(r"---- BEGIN SSH2 PUBLIC KEY ----\n(.*?)---- END SSH2 PUBLIC KEY ----", re.DOTALL)
_WHAT_TO_ENTER = "Enter the output of ssh-keyscan, a line '<type> <base64>', or a fingerprint 'SHA256:…'."


def read_host_keys(text: str, *, host: str, port: int | None) -> str:
    """The keys in `text`, each a line `<type> <base64>` or `[<type> ]SHA256:…`. Raises `WrongFieldError`.

    `host` and `port` say which server they are for, where lines of known_hosts name several.
    """
    if len(text) > LONGEST:
        raise _wrong(f"It is too long for the host keys of a server. {_WHAT_TO_ENTER}")
    text = tidy(text)
    if "PRIVATE KEY" in text or "PuTTY-User-Key-File" in text:
        raise _wrong("It is a private key, not a host key. Enter the server's public host key.")
    lines = _SSH2.sub(lambda found: _from_ssh2(found[1]), text).split("\n")
    named = [one for number, line in enumerate(lines, 1) for one in _read(line, number)]
    if not named:
        raise _wrong(f"It holds no host key. {_WHAT_TO_ENTER}")
    require_one_server(named, host, port)
    keys = list(dict.fromkeys(one.key for one in named))
    if len(keys) > MOST:
        raise _wrong(f"It holds {len(keys)} host keys, and a server has few. Enter only those of this server.")
    return "\n".join(keys)


def _from_ssh2(body: str) -> str:
    """RFC 4716: headers, of which a backslash continues the line, and the key."""
    encoded = re.sub(r"^[^\n:]+:(.*\\\n)*.*\n", "", body, flags=re.MULTILINE).replace("\n", "")
    blob = _decoded(encoded)
    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii", "replace")
    return f"{kind} {encoded}\n"


def _read(line: str, number: int) -> Iterator[Named]:
    """The keys of one line, with the names of the hosts before the first."""
    if not line or (line.startswith("#") and FINGERPRINT not in line):
        return
    words = line.split()
    if words[0].startswith("@"):
        raise _wrong(_marker(words[0], number))
    found = [*_public_keys(words)]
    if not found:
        yield Named(key=_fingerprint(line, words), hosts="", line=number)
    for position, key in found:
        yield Named(key=key, hosts=words[0] if position == found[0][0] == 1 else "", line=number)


def _public_keys(words: list[str]) -> Iterator[tuple[int, str]]:
    """Each type that a key follows: where it stands, and the key. Raises `WrongFieldError`."""
    for position, (kind, encoded) in enumerate(pairwise(words)):
        if _TYPE.fullmatch(kind) and _BASE64.match(encoded):
            yield position, _public_key(kind, encoded)


def _public_key(kind: str, encoded: str) -> str:
    _require_type(kind)
    blob = _decoded(encoded)
    try:
        weak = weakness(kind, blob)
    except (ValueError, UnsupportedAlgorithm):
        raise _cut_off() from None
    if weak:
        raise _wrong(f"It is a key of {weak}. Ask the server's operator for a new one, such as Ed25519.")
    return as_text(kind, blob)


def _require_type(kind: str) -> None:
    if "-cert-v0" in kind:
        raise _wrong("It is a host certificate, which is not supported. Enter the server's plain host key.")
    if kind not in SHOWN_TYPES:
        raise _wrong(f"Host keys of the type {tame(kind)} are not accepted. Use one of: {', '.join(SHOWN_TYPES)}.")


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise _cut_off() from None


def _fingerprint(line: str, words: list[str]) -> str:
    """As `ssh-keygen -lf`, `ssh` and PuTTY print it: bits, comment and type may be around it."""
    found = _SHA256.search(line)
    if not found:
        raise _wrong(_no_key(line, words))
    if len(found[1]) != 43:
        raise _wrong(f"A SHA-256 fingerprint has 43 characters after '{FINGERPRINT}', this one has {len(found[1])}.")
    if line.count(FINGERPRINT) > 1:
        raise _wrong("A line holds several fingerprints. Enter each on a line of its own.")
    kind = _kind_of_fingerprint(line[: found.start()] + line[found.end() :])
    if kind:
        _require_type(kind)
    return f"{kind} {found[0]}".strip()


def _kind_of_fingerprint(around: str) -> str:
    words = re.findall(r"[A-Za-z0-9@.-]+", around)
    bits = next((word for word in words if _BITS.fullmatch(word)), "")
    kind = next((word for word in words if _TYPE.fullmatch(word)), "")
    # `ssh-keygen -l` has the type at the end, behind a comment that may contain anything.
    name = next((word for word in reversed(words) if word in _NAMES or word == "ECDSA"), "")
    kind = kind or (_CURVES.get(bits, "") if name == "ECDSA" else _NAMES.get(name, ""))
    if kind == "ssh-rsa" and bits and int(bits) < SHORTEST_RSA:
        raise _wrong(f"It is a key of RSA with {bits} bits, and {SHORTEST_RSA} are the least that is accepted.")
    return kind


def _no_key(line: str, words: list[str]) -> str:
    if _MD5.search(line):
        return "It is an MD5 fingerprint, which can be forged. Ask for the SHA-256 fingerprint or for the key."
    if any(_TYPE.fullmatch(word) for word in words):
        return "A part of the key is missing. Paste the whole line."
    return f"It cannot be read. {_WHAT_TO_ENTER}"


def _marker(marker: str, number: int) -> str:
    if marker == "@revoked":
        return f"Line {number} revokes its key: the server's operator says not to trust it. Enter the new key."
    if marker == "@cert-authority":
        return f"Line {number} is a certificate authority, which is not supported. Enter the server's own host key."
    return f"Line {number} begins with a marker that is not supported. {_WHAT_TO_ENTER}"


def _cut_off() -> WrongFieldError:
    return _wrong("A part of the key is missing or damaged. Paste the whole line.")


def _wrong(problem: str) -> WrongFieldError:
    return WrongFieldError(problem, field="host_key")
