"""Where a request comes from: the address prefix that several people may share, for budgets and as a hint; never as proof."""

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from functools import lru_cache

REMEMBERED = 4096
"""Networks whose hash is kept for the next who comes from there."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def network_of(*, peer: str | None, forwarded_for: Sequence[str], trusted_proxies: int) -> str:
    """Return the client's /24 or /48, or an empty string when nothing tells its address.

    Args:
        peer: address of the other end of the connection.
        forwarded_for: the values of every `X-Forwarded-For` header, in order.
        trusted_proxies: how many proxies in front of us add to that header. Each adds the address it was reached from,
            so all that stands before their additions may be made up.
    """
    claimed = [part.strip() for value in forwarded_for for part in value.split(",")]
    chain = [*claimed, peer or ""]
    # A shorter chain did not come through the proxies: then nothing in it but the peer is known.
    client = chain[-1 - trusted_proxies] if len(chain) > trusted_proxies else chain[-1]
    return _prefix_of(client) or _prefix_of(chain[-1])


@lru_cache(maxsize=REMEMBERED)
def network_id(network: str, key: bytes) -> str | None:
    """Return what stands for a network in rows and messages; None for one that tells nothing.

    That is no network at all, and any that is not of the internet: there stands a proxy that nobody told us of, with everybody behind it,
    or a home in which all know each other. Keyed, since every address prefix there is could be hashed and compared in no time.
    """
    if not network or not ipaddress.ip_network(network).is_global:
        return None
    return hmac.digest(key, f"network\0{network}".encode(), "sha256").hex()[:32]


def _prefix_of(text: str) -> str:
    """Return the prefix of an address, or an empty string if it is none."""
    try:
        # Nearly every address is four numbers, which the system takes apart for a twentieth of what `ipaddress` takes.
        first, second, third, _ = socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        address = _address(text)
        if address is None:
            return ""
        bits = 24 if address.version == 4 else 48
        return str(ipaddress.ip_network((address, bits), strict=False))
    return f"{first}.{second}.{third}.0/24"


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
