"""A request's address is that of its caller, as far as proxies that are trusted have passed it on."""

import logging
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client, RequestFactory

from orderflow.client_address import client_address

PROXIES = [ip_network("10.0.0.0/24"), ip_network("2001:db8:1::/64")]


def address(peer: str, forwarded: str = "") -> str:
    return client_address(RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.1, 198.51.100.1 , 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:1::1", "2001:db8:2::9", "2001:db8:2::9"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:2::9]:4711", "2001:db8:2::9"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1,,", "198.51.100.1"),
        ("", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_last_entry_of_no_trusted_proxy(peer: str, forwarded: str, found: str, settings: Any) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    assert address(peer, forwarded) == found


@pytest.mark.parametrize(("behind_proxy", "found"), [(False, "10.0.0.1"), (True, "198.51.100.1")])
def test_without_trusted_proxies(behind_proxy: bool, found: str, settings: Any) -> None:
    assert settings.TRUSTED_PROXIES == ()
    settings.BEHIND_TLS_PROXY = behind_proxy
    assert address("10.0.0.1", "192.0.2.1, 198.51.100.1") == found
    assert address("10.0.0.1") == "10.0.0.1"


def test_the_log_has_that_address_and_not_what_the_caller_wrote(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Client().get("/nothing", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="192.0.2.1")
    events = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert {event["ip"] for event in events if str(event["event"]).startswith("request_")} == {"203.0.113.7"}
