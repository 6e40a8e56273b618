"""Syntax check of the URLs from which merchants let us fetch pictures (a defence against SSRF).

Pure: resolves no host name. The process that connects checks the IP address, at every redirect.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_ADDRESS_CHARS = 2000
PORTS = frozenset({None, 80, 443})
_SCHEMES = frozenset({"http", "https"})
# URL parsers disagree about these characters in a host, which attacks use; honest URLs have none.
_ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")


def address_fault(address: str, *, any_port: bool = False) -> str | None:
    """What is wrong with a URL, as a sentence for the merchant; None: it may be tried.

    `any_port`: also other ports than 80 and 443, for tests on loopback.
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
