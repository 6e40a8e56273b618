"""Networks of client addresses, for limits and fair shares. Pure: must not know requests.

One customer has a whole /64 of IPv6, which therefore counts like one IPv4 address. Rows store a
keyed hash of the network (its mark), never the address.
"""

from __future__ import annotations

import hmac
from ipaddress import IPv6Address, ip_address, ip_network

UNKNOWN = "unknown"
_MARK_LENGTH = 16


def network_of(address: str | None) -> str:
    """The IPv4 address, or the /64 of an IPv6 one; `unknown` for what is neither."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found, 64), strict=False))


def mark(key: bytes, network: str) -> str:
    """Truncated HMAC-SHA256 (64 bits, hex) of a network: equal for equal networks, and not to be
    reversed without the key."""
    return hmac.new(key, network.encode(), "sha256").hexdigest()[:_MARK_LENGTH]
