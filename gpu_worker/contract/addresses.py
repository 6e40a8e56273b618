"""Which addresses of pictures may be fetched at all, by how they are written.

Pure: resolves no name. Where a name leads is for whoever connects to check, at every hop.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_ADDRESS_CHARS = 2000
PORTS = frozenset({None, 80, 443})
_SCHEMES = frozenset({"http", "https"})
# Readers of addresses disagree about what these mean in a host; honest ones have none of them.
_ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")


def address_fault(address: str, *, any_port: bool = False) -> str | None:
    """What is wrong with an address, as a sentence for the merchant; None: it may be tried.

    `any_port` is for tests on this machine.
    """
    if len(address) > MAX_ADDRESS_CHARS:
        return f"The address is longer than {MAX_ADDRESS_CHARS} characters."
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname
    except ValueError:
        return "The address cannot be read."
    if parts.scheme not in _SCHEMES:
        return "The address must begin with http:// or https://."
    if _ODD.search(address) or not host or "%" in parts.netloc:
        return "The address cannot be read."
    if "@" in parts.netloc:
        return "The address must not hold a user name or password."
    if port not in PORTS and not any_port:
        return "The address must use port 80 or 443."
    return None
