"""The names before the keys in lines of known_hosts: all keys have to be those of one server."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from connectors.exceptions import WrongFieldError
from connectors.text.sanitize import tame

_DEFAULT_PORT = 22


class Named(NamedTuple):
    """A key, the names that its line has before it, or none, and the number of the line."""

    key: str
    hosts: str
    line: int


def require_one_server(named: Sequence[Named], host: str, port: int | None) -> None:
    """Raises `WrongFieldError` if the lines name several servers. A scan may have used another name of the server,
    so one other name is accepted."""
    lines = [one for one in named if one.hosts]
    wanted = _wanted(host, port)
    others = [one for one in lines if not _names(one.hosts, wanted)]
    if others and len(others) < len(lines):
        raise _several(f"Line {others[0].line} is for another server than {tame(host)}.", host)
    plain = [set(one.hosts.lower().split(",")) for one in others if not one.hosts.startswith("|")]
    if plain and not set.intersection(*plain):
        raise _several("The lines are for several servers.", host)
    hashed = {one.key for one in others if one.hosts.startswith("|")}
    if len(hashed) > len({key.split()[0] for key in hashed}):
        # One server has one key of each type.
        raise _several(
            "The lines have their names hashed, and two keys of one type: they are for several servers.", host
        )


def _wanted(host: str, port: int | None) -> set[str]:
    """As known_hosts has it."""
    return (
        {host.lower(), f"[{host.lower()}]:{_DEFAULT_PORT}"}
        if port in (None, _DEFAULT_PORT)
        else {f"[{host.lower()}]:{port}"}
    )


def _names(hosts: str, wanted: set[str]) -> bool:
    if hosts.startswith("|1|"):
        return any(_is_hash_of(hosts, name) for name in wanted)
    return not wanted.isdisjoint(hosts.lower().split(","))


def _is_hash_of(hashed: str, name: str) -> bool:
    """`|1|<salt>|<HMAC-SHA1 of the name>`."""
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def _several(cause: str, host: str) -> WrongFieldError:
    return WrongFieldError(f"{cause} Enter only the lines of {tame(host) or 'this server'}.", field="host_key")
