"""The address that a request comes from: what logins are limited by, and what the log has.

A proxy appends the address of its caller to X-Forwarded-For. What stands to the left of the last address that no
trusted proxy has, the caller may have written.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django_structlog import signals
from rest_framework.request import Request

Address = IPv4Address | IPv6Address


def client_address(request: HttpRequest | Request) -> str:
    """Of the proxies named by TRUSTED_PROXIES, the addresses in front of them are believed. Without such, the last
    entry is believed where BEHIND_TLS_PROXY says that a proxy is there, and none otherwise."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if settings.TRUSTED_PROXIES:
        return _first_untrusted(peer, hops)
    return _bare(hops[-1]) if hops and settings.BEHIND_TLS_PROXY else peer


def _first_untrusted(peer: str, hops: list[str]) -> str:
    """From the right. What is no address was written by the last trusted proxy, whose own address stands for it."""
    address = peer
    while hops and _is_trusted(address):
        address, behind = _bare(hops.pop()), address
        if _parsed(address) is None:
            return behind
    return address


def _is_trusted(address: str) -> bool:
    # A proxy on this machine that calls over a socket of the file system has none.
    if not address:
        return True
    found = _parsed(address)
    return found is not None and any(found in network for network in settings.TRUSTED_PROXIES)


def _parsed(address: str) -> Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _bare(hop: str) -> str:
    """Without the port that some proxies add, and without brackets."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def connect() -> None:
    signals.bind_extra_request_metadata.connect(_bind, dispatch_uid="client address")


def _bind(request: HttpRequest, **_: Any) -> None:
    """django-structlog would believe whatever a caller writes into X-Forwarded-For."""
    structlog.contextvars.bind_contextvars(ip=client_address(request))
