"""Where a request comes from, with and without proxies in front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.network import network_of


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


@given(made_up=st.lists(st.text()), proxies=st.integers(0, 3))
def test_made_up_addresses_change_nothing(made_up: list[str], proxies: int) -> None:
    """Whatever a client sends in the header, its proxies' additions decide."""
    added = [f"198.51.100.{number}" for number in range(1, proxies + 1)]
    network = network_of(peer="198.51.100.9", forwarded_for=[*made_up, *added], trusted_proxies=proxies)

    assert "198.51.100.0/24" == network
