"""The host as people have it, such as `sftp://user@host:2222/path`: split, and checked without a name server."""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import unquote

from connectors.exceptions import WrongFieldError
from connectors.text.pasted import trimmed

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCHEMES = {"sftp", "ssh", "scp"}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII)
_LONGEST_LABEL, _LONGEST_NAME, _LONGEST_INPUT = 63, 253, 1000
# A resolver reads a name that ends in such a label as an IPv4 address: `127.1`, `0x7f000001`.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
# The two standards for such names, of 2003 and 2008, read these as different names.
_AMBIGUOUS = "ßς\u200c\u200d"


class HostInput(NamedTuple):
    """`port` is None, `username` and `path` are empty where the input has none."""

    host: str
    port: int | None
    username: str
    path: str


def read_host(text: str) -> HostInput:
    """Raises `WrongFieldError`, whose message repeats no part that may be a password."""
    text = trimmed(text)
    _require_visible(text)
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in _SCHEMES:
        raise _wrong(
            f"It begins with {scheme[1]}://, but this connection uses SFTP. Ask for the address of the SFTP server."
        )
    authority, _, path = text[scheme.end() if scheme else 0 :].partition("/")
    user, _, place = authority.rpartition("@")
    if ":" in user:
        raise _wrong("It contains a password. Enter username and password in their own fields and only the host here.")
    host, port = _split_port(place)
    return HostInput(_checked(host), port, unquote(user) if scheme else user, path)


def without_password(text: str) -> str:
    """`text` as a page may show it again: without what stands between a username and the host."""
    return re.sub(r"(?<![/:]):(?!//).*@", "@", text, flags=re.DOTALL)


def ip_address_in(host: str) -> bool:
    """Whether `host`, as `read_host` returns it, is an address and not a name."""
    return ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _require_visible(text: str) -> None:
    if not text:
        raise _wrong("It names no host.")
    if len(text) > _LONGEST_INPUT:
        raise _wrong(f"A host name has at most {_LONGEST_NAME} characters.")
    if text.split(maxsplit=1)[0] in _SCHEMES and " " in text:
        raise _wrong("It is a command. Enter only the name or address of the server.")
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "Z":
            raise _wrong("It contains a blank. Enter only the name or address of the server.")
        if category[0] == "C" and character not in _AMBIGUOUS:
            raise _wrong(
                "It contains a line break or another invisible character. Type the host instead of pasting it."
            )


def _split_port(place: str) -> tuple[str, int | None]:
    """The host, an IPv6 address without its brackets, and the port."""
    if place.startswith("["):
        inside, bracket, behind = place[1:].partition("]")
        if not bracket or (behind and not behind.startswith(":")):
            raise _wrong("An IPv6 address with a port reads [address]:port.")
        return _ipv6(inside), _port(behind[1:])
    if place.count(":") > 1:
        return _ipv6(place), None
    host, _, port = place.partition(":")
    return host, _port(port)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 0 < int(text) < 2**16:
        raise _wrong(
            "What follows its colon is not a port from 1 to 65535. Enter the host here and the port in its own field."
        )
    return int(text)


def _ipv6(text: str) -> str:
    address, percent, zone = text.replace("%25", "%", 1).partition("%")
    try:
        canonical = str(IPv6Address(address))
    except ValueError:
        raise _wrong("It is not a valid IPv6 address.") from None
    if percent and not _ZONE.fullmatch(zone):
        raise _wrong("The zone after '%' is not the name of a network interface.")
    return f"{canonical}%{zone}" if percent else canonical


def _checked(host: str) -> str:
    if ":" in host:
        return host
    name = _ascii(host).removesuffix(".").lower()
    if not name:
        raise _wrong("It names no host.")
    if len(name) > _LONGEST_NAME:
        raise _wrong(f"A host name has at most {_LONGEST_NAME} characters.")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    for label in labels:
        _require_label(label)
    return name


def _ascii(host: str) -> str:
    """Umlauts and other letters as DNS has them, `xn--…`."""
    if host.isascii():
        return host
    for character in _AMBIGUOUS:
        if character in host:
            raise _wrong(
                "It contains a letter that has two encodings. Enter the name in its ASCII form, which begins with xn--."
            )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _wrong("It is not a valid host name. Enter the name in its ASCII form, which begins with xn--.") from None


def _ipv4(name: str) -> str:
    try:
        return str(IPv4Address(name))
    except ValueError:
        raise _wrong("It is not a valid IPv4 address. Enter four numbers from 0 to 255, such as 192.0.2.10.") from None


def _require_label(label: str) -> None:
    if not label:
        raise _wrong("Two dots follow each other, or it begins with a dot.")
    if len(label) > _LONGEST_LABEL:
        raise _wrong(f"Between two dots, a host name has at most {_LONGEST_LABEL} characters.")
    odd = next((character for character in label if not _LABEL.fullmatch(character) and character != "-"), "")
    if odd:
        raise _wrong(f"{odd!r} cannot be part of a host name. Enter only the name or address of the server.")
    if not _LABEL.fullmatch(label):
        raise _wrong("A hyphen cannot begin or end a part of a host name.")


def _wrong(problem: str) -> WrongFieldError:
    return WrongFieldError(problem, field="host")
