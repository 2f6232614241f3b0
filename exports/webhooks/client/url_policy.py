"""Where a webhook may lead: what its URL may look like, and which addresses are connected to."""

from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from connectors.exceptions import ConfigError
from connectors.network.addresses import Address, find_addresses, is_public, is_within

PORTS = {"https": 443, "http": 80}


def checked(text: str) -> SplitResult:
    """Raises `ConfigError`."""
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise _refusal("has characters that do not belong there. Write them encoded.")
    try:
        url = urlsplit(text)
        # Only asking for the port finds out whether there is a sensible one.
        readable = url.scheme in PORTS and url.hostname and url.port != 0
    except ValueError:
        readable = False
    if not readable:
        raise _refusal("is none: it has to look like https://host/path.")
    if url.username is not None or url.password is not None:
        raise _refusal("holds a user name or password. Leave them out: the signature says who asks.")
    if url.scheme != "https" and not settings.WEBHOOK_ALLOW_HTTP:
        raise _refusal("is not encrypted. Use https://.")
    return url


def find(url: SplitResult, timeout_s: float) -> list[Address]:
    """The addresses that its host means just now, each of them checked. Raises `ConfigError`, `TransientError`."""
    allowed = _allowed(url.scheme)
    return find_addresses(
        str(url.hostname), port_of(url), timeout_s, allowed=allowed, setting="WEBHOOK_PRIVATE_NETWORKS"
    )


def port_of(url: SplitResult) -> int:
    return url.port or PORTS[url.scheme]


def _allowed(scheme: str) -> Callable[[str], bool]:
    """Public addresses, and the private ones that the operator named; without encryption, only the latter."""

    def allowed(address: str) -> bool:
        own = is_within(address, settings.WEBHOOK_PRIVATE_NETWORKS)
        return own or (scheme == "https" and is_public(address))

    return allowed


def _refusal(problem: str) -> ConfigError:
    return ConfigError(f"The URL {problem}", field="url")
