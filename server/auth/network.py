"""Where a request comes from, as far as limits may know it.

Pure: knows no request. A home or a phone has a whole /64 of IPv6, so that is one place, as one
IPv4 address is. Rows keep a mark of it, never the address.
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
    """The same for the same network, and of no use to whoever lacks the key."""
    return hmac.new(key, network.encode(), "sha256").hexdigest()[:_MARK_LENGTH]
