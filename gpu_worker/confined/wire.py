"""The messages in the pipes, both ways: a line of JSON that also says how many bytes of the shared
memory belong to it. Not pickle: reading must never execute anything. Knows bytes, no processes.
"""

from __future__ import annotations

import json
from typing import Any

Head = dict[str, Any]
MAX_LINE_BYTES = 65_536
_BYTES = "bytes"


class GarbledError(ValueError):
    """The other side sent something that is no such message."""


def line(head: Head, body_bytes: int) -> bytes:
    """One message. Raises ValueError if the head is too large to be read at the other end."""
    said = json.dumps({**head, _BYTES: body_bytes}, separators=(",", ":")).encode() + b"\n"
    if len(said) > MAX_LINE_BYTES:
        raise ValueError(f"a head of {len(said)} bytes")
    return said


def read_line(said: bytes | bytearray, max_body_bytes: int) -> tuple[Head, int]:
    """The head, and how many bytes belong to it.

    Raises:
        GarbledError: it is no JSON object, or names an impossible number of bytes.
    """
    try:
        head = json.loads(said)
    except (ValueError, RecursionError):
        raise GarbledError("no JSON") from None
    follows = head.pop(_BYTES, None) if isinstance(head, dict) else None
    if type(follows) is not int or not 0 <= follows <= max_body_bytes:
        raise GarbledError("no honest number of bytes")
    return head, follows
