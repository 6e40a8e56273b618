"""Rows as JSON, with their sentences; a file for each noun. Knows rows and words, no request.

A `reader` is whose row it is. What a reader may see of a person is `caller.sees_picture`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.infra.caller import CallerKind
from server.infra.kinds import Json
from server.rendering.words import reasons

__all__ = ["Json", "reason_of", "reasons_of"]


def reasons_of(codes: Iterable[object], reader: CallerKind) -> list[dict[str, str]]:
    """Codes with their sentences: a shopper's, or a merchant's."""
    return [reason_of(str(code), reader) for code in codes]


def reason_of(code: str, reader: CallerKind) -> dict[str, str]:
    return reasons.to_dict(code, for_merchant=reader != "shopper")
