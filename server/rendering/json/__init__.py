"""Rows as JSON with sentences, one file per noun. Must not know requests.

`reader`: the kind of caller who gets it, and whose row it is. `caller.sees_picture` decides what it
shows of a person.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.infra.caller import CallerKind
from server.infra.kinds import Json
from server.rendering.words import reasons

__all__ = ["Json", "reason_of", "reasons_of"]


def reasons_of(codes: Iterable[object], reader: CallerKind) -> list[dict[str, str]]:
    """Codes of reasons with their sentences, worded for a shopper or for a merchant."""
    return [reason_of(str(code), reader) for code in codes]


def reason_of(code: str, reader: CallerKind) -> dict[str, str]:
    return reasons.to_dict(code, for_merchant=reader != "shopper")
