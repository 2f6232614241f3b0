"""Which addresses a tenant's host name may lead to.

The name is resolved once, every address is checked, and the very address that was checked is connected to: a name that
changes its mind in between changes nothing.
"""

import queue
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from connectors.exceptions import ConfigError, TransientError
from connectors.text.sanitize import tame

Network = IPv4Network | IPv6Network

_PRIVATE = [ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
# Private by their prefix, yet where clouds hand out credentials: Amazon, Google, Oracle, Scaleway.
_METADATA = [ip_network(n) for n in ("fd00:ec2::/64", "fd20:ce::/64", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128")]
# Not public, though `is_global` of some Python versions says so: Azure's wire server, IETF protocol assignments
# (Oracle's metadata), 6to4 relays, site-local addresses, segment routing, documentation.
_NOT_PUBLIC = [
    ip_network(n) for n in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "5f00::/16", "3fff::/20")
]
_NAT64 = IPv6Network("64:ff9b::/96")

_NOT_FOUND = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Address(NamedTuple):
    """As `socket.socket` and `connect` take it."""

    family: int
    sockaddr: tuple[Any, ...]

    def __str__(self) -> str:
        return str(self.sockaddr[0])


def find_addresses(
    host: str,
    port: int,
    timeout_s: float,
    *,
    allowed: Callable[[str], bool],
    setting: str = "DROPZONE_ALLOWED_NETWORKS",
    resolved: bool = False,
) -> list[Address]:
    """The addresses of the host that may be connected to, at least one. `setting` names the networks that `allowed`
    adds. `resolved` says that the host was found before: then a name that is not found, or that leads to an address
    that may not be connected to, is an outage, for resolvers report one in the same way.

    Raises `ConfigError`, `TransientError`.
    """
    found = [address for address in _resolve(host, port, timeout_s, resolved=resolved) if allowed(str(address))]
    if not found:
        raise _led_elsewhere(host, setting) if resolved else not_allowed(host, setting)
    return found


def not_allowed(host: str, setting: str = "DROPZONE_ALLOWED_NETWORKS") -> ConfigError:
    """The address stays unnamed: what a name means inside this network is not a tenant's to know."""
    return ConfigError(
        f"{tame(host)} leads to an address that may not be connected to. Correct the host, or ask the operator of "
        f"OrderFlow to add its network to {setting}.",
        field="host",
    )


def _led_elsewhere(host: str, setting: str) -> TransientError:
    """A resolver without its network may give an address of its own machine for every name."""
    return TransientError(
        f"{tame(host)} leads to an address that may not be connected to at present, and it did not before. Check the "
        "name server and the network of this machine; if the server has another address now, correct the host, or ask "
        f"the operator of OrderFlow to add its network to {setting}."
    )


def is_allowed(address: str, networks: Sequence[Network] | None) -> bool:
    """`networks` replaces the default: public addresses and the private ranges, nothing on this machine or link."""
    if networks is not None:
        return is_within(address, networks)
    return is_public(address) or (is_within(address, _PRIVATE) and not is_within(address, _METADATA))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    meant = _meant(address)
    return any(meant in network for network in networks)


def is_public(address: str) -> bool:
    meant = _meant(address)
    return meant.is_global and not (
        meant.is_multicast
        or meant.is_reserved
        or meant.is_unspecified
        or meant.is_link_local
        or any(meant in network for network in _NOT_PUBLIC)
    )


def _meant(address: str) -> IPv4Address | IPv6Address:
    return _embedded(ip_address(address.partition("%")[0]))


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _resolve(host: str, port: int, timeout_s: float, *, resolved: bool) -> list[Address]:
    """In a thread, for the system's resolver knows no deadline; left alone it ends by itself."""
    answer: queue.Queue[list[Address] | Exception] = queue.Queue()
    threading.Thread(target=_look_up, args=(host, port, answer), name="resolver", daemon=True).start()
    try:
        found = answer.get(timeout=timeout_s)
    except queue.Empty:
        raise TransientError(
            f"{tame(host)} could not be resolved within {timeout_s:.3g} s. Check the name server of this machine."
        ) from None
    if isinstance(found, Exception):
        raise _unresolved(host, found, resolved=resolved) from found
    return found


def _look_up(host: str, port: int, answer: "queue.Queue[list[Address] | Exception]") -> None:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.put([Address(family, sockaddr) for family, _, _, _, sockaddr in infos])
    except (OSError, ValueError) as error:
        answer.put(error)


def _unresolved(host: str, error: Exception, *, resolved: bool) -> ConfigError | TransientError:
    if isinstance(error, socket.gaierror) and error.errno in _NOT_FOUND and resolved:
        return TransientError(
            f"{tame(host)} is not found at present, and it was before. Check the name server and the network of this "
            "machine; if the server has another name now, correct the host."
        )
    if isinstance(error, ValueError) or (isinstance(error, socket.gaierror) and error.errno in _NOT_FOUND):
        return ConfigError(f"There is no host named {tame(host)}. Check the host, then test again.", field="host")
    return TransientError(f"{tame(host)} could not be resolved: the name server does not answer. Check it.")
