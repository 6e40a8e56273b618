"""The one builder of Content-Security-Policies: all that is not named is forbidden. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SELF = ("'self'",)
NOBODY: tuple[str, ...] = ()


def policy(**directives: Sequence[str]) -> str:
    """`img_src=("'self'", store)` and so on, in the order of the header; empty sources are left
    out, and a directive with none allows nothing."""
    written = [_written(name, sources) for name, sources in directives.items()]
    return "; ".join(["default-src 'none'", *written])


def _written(name: str, sources: Sequence[str]) -> str:
    return f"{name.replace('_', '-')} " + (" ".join(filter(None, sources)) or "'none'")


def socket_origin(server_url: str) -> str:
    """Older Safari does not count it as 'self'."""
    return server_url.replace("http", "ws", 1)


# Of every answer that is no page.
CLOSED = policy(frame_ancestors=NOBODY, base_uri=NOBODY)
