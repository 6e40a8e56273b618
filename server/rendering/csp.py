"""Builds Content-Security-Policy headers; what is not named is forbidden. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SELF = ("'self'",)
NOBODY: tuple[str, ...] = ()


def policy(**directives: Sequence[str]) -> str:
    """The header's value from directives such as `img_src=("'self'", store)`. Empty sources are
    left out; a directive without any becomes `'none'`."""
    written = [_written(name, sources) for name, sources in directives.items()]
    return "; ".join(["default-src 'none'", *written])


def _written(name: str, sources: Sequence[str]) -> str:
    return f"{name.replace('_', '-')} " + (" ".join(filter(None, sources)) or "'none'")


def socket_origin(server_url: str) -> str:
    """The `ws:` or `wss:` origin of the server, which older Safari does not count as 'self'."""
    return server_url.replace("http", "ws", 1)


# For every response that is no page.
CLOSED = policy(frame_ancestors=NOBODY, base_uri=NOBODY)
