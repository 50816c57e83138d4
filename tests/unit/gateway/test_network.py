"""Where a request comes from, with and without proxies in front."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.network import REMEMBERED, network_id, network_of


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "proxies", "expected"),
    [
        ("203.0.113.7", [], 0, "203.0.113.0/24"),
        ("203.0.113.7", ["198.51.100.1"], 0, "203.0.113.0/24"),
        ("10.0.0.1", ["198.51.100.1"], 1, "198.51.100.0/24"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], 1, "198.51.100.0/24"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], 1, "198.51.100.0/24"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.0.0.2"], 2, "198.51.100.0/24"),
        ("203.0.113.7", ["6.6.6.6"], 2, "203.0.113.0/24"),
        ("203.0.113.7", [], 1, "203.0.113.0/24"),
        ("10.0.0.1", ["unknown"], 1, "10.0.0.0/24"),
        ("2001:db8:1:2:3::4", [], 0, "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", [], 0, "203.0.113.0/24"),
        ("fe80::1%eth0", [], 0, "fe80::/48"),
        (None, [], 0, ""),
    ],
)
def test_prefix_is_that_of_the_client(
    peer: str | None, forwarded_for: list[str], proxies: int, expected: str
) -> None:
    """Only what our own proxies added to the header is believed."""
    assert expected == network_of(peer=peer, forwarded_for=forwarded_for, trusted_proxies=proxies)


@given(st.one_of(st.ip_addresses().map(str), st.text("0123456789.:%x ", max_size=16), st.text(max_size=12)))
@example("1.2.3.04")
@example("1.2.3.4%eth0")
@example("1.2.3.4\0")
@example("\N{DIGIT ONE}.2.3.\N{ARABIC-INDIC DIGIT FOUR}")
def test_addresses_are_read_as_the_library_reads_them(text: str) -> None:
    """Whatever somebody says is an address; the usual ones are read in a shorter way."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        expected = str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))
    except ValueError:
        expected = ""

    assert expected == network_of(peer=text, forwarded_for=(), trusted_proxies=0)


@given(made_up=st.lists(st.text()), proxies=st.integers(0, 3))
def test_made_up_addresses_change_nothing(made_up: list[str], proxies: int) -> None:
    """Whatever a client sends in the header, its proxies' additions decide."""
    added = [f"198.51.100.{number}" for number in range(1, proxies + 1)]
    network = network_of(peer="198.51.100.9", forwarded_for=[*made_up, *added], trusted_proxies=proxies)

    assert "198.51.100.0/24" == network


@pytest.mark.parametrize(
    ("network", "tells"),
    [
        ("20.1.1.0/24", True),
        ("2a00:1450:4001::/48", True),
        ("", False),
        ("10.0.0.0/24", False),
        ("192.168.1.0/24", False),
        ("127.0.0.0/24", False),
        ("100.64.7.0/24", False),
        ("fe80::/48", False),
        ("fd00:1:2::/48", False),
    ],
)
def test_only_networks_of_the_internet_tell_anything(network: str, *, tells: bool) -> None:
    """Behind a proxy that nobody told us of everybody has its address: no budget and no hint is made of it."""
    assert tells == (network_id(network, b"k" * 32) is not None)


def test_network_is_known_by_a_keyed_hash() -> None:
    """Who has the rows alone cannot try all prefixes."""
    ids = {network_id(network, key) for network in ("20.1.1.0/24", "20.1.2.0/24") for key in (b"a", b"b")}

    assert 4 == len(ids)
    assert all("20.1" not in str(each) for each in ids)


def test_memory_of_networks_is_bounded() -> None:
    """Who comes from ever new networks does not fill the memory, and each still has its own hash."""
    networks = [f"20.{number >> 8}.{number & 255}.0/24" for number in range(2 * REMEMBERED)]

    assert len(networks) == len({network_id(network, b"k" * 32) for network in networks})
    assert REMEMBERED == network_id.cache_info().currsize
