"""Addresses of other servers: whether they are on this machine, or in a network of one's own."""

import ipaddress
from urllib.parse import urlsplit

_HOME_NAMES = (".local", ".lan", ".home", ".internal", ".localdomain", ".home.arpa", ".localhost")
"""Ends of names that no public name server knows (RFC 6762, RFC 8375, ICANN's `.internal`, and habit)."""


def is_safe_address(address: str) -> bool:
    """Tell whether secrets may travel to an address: by https, or without leaving this machine."""
    return address.startswith("https://") or is_loopback(urlsplit(address).hostname or "")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    address = _literal(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def is_private(host: str) -> bool:
    """Tell whether a host is in a network of one's own: by its address, or by a name that only such networks know.

    A name without a dot is one of those: containers and home networks use them.
    """
    address = _literal(host)
    if address:
        return address.is_private or address.is_link_local
    return "." not in host or host.endswith(_HOME_NAMES)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
