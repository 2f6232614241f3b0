from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from connectors.exceptions import ConfigError, TransientError
from connectors.network.addresses import Address, Network, find_addresses, is_allowed, is_public, is_within

PRIVATE = [ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


def find(host: str, networks: Sequence[Network] | None = None) -> list[Address]:
    return find_addresses(host, 22, 5, allowed=lambda address: is_allowed(address, networks))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "::",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
        "2001::1",
        "fd00:ec2::254",
        "fec0::1",
        "feff::1",
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "64:ff9b::a83f:8110",
        "192.0.0.192",
        "192.88.99.1",
        "169.254.170.2",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "3fff::1",
    ],
)
def test_this_machine_its_link_and_what_leads_there_are_refused(address: str) -> None:
    """S7."""
    assert not is_allowed(address, None)
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.215.14", "10.1.2.3", "172.16.0.9", "192.168.1.1", "fd12::1", "2a00:1450::1", "64:ff9b::808:808"],
)
def test_public_and_private_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, None)
    assert is_public(address) != is_within(address, PRIVATE)


def test_the_operators_list_replaces_the_default() -> None:
    """S7."""
    networks = (ip_network("127.0.0.0/8"), ip_network("10.7.0.0/16"))
    assert is_allowed("127.0.0.1", networks)
    assert is_allowed("::ffff:10.7.1.1", networks)
    assert not is_allowed("10.8.0.1", networks)
    assert not is_allowed("93.184.215.14", networks)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "::1"])
def test_every_way_to_write_the_loopback_is_refused(host: str) -> None:
    """S7."""
    with pytest.raises(ConfigError, match="may not be connected to") as refused:
        find(host)
    assert refused.value.field == "host"
    assert "DROPZONE_ALLOWED_NETWORKS" in str(refused.value)


def test_the_error_does_not_tell_what_a_name_leads_to() -> None:
    """S8."""
    with pytest.raises(ConfigError) as refused:
        find("localhost")
    assert "127.0.0.1" not in str(refused.value)


def test_only_the_allowed_addresses_of_a_name_are_used() -> None:
    found = find("localhost", [ip_network("127.0.0.0/8")])
    assert {str(address) for address in found} == {"127.0.0.1"}


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example", "..", "a\0b"])
def test_a_host_that_cannot_be_needs_a_person(host: str) -> None:
    with pytest.raises((ConfigError, TransientError)):
        find(host)
