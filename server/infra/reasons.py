"""The old address of `rendering/words/reasons`, until the rows' JSON has left the domain."""

from __future__ import annotations

from server.rendering.words.reasons import (
    HINTS,
    SENTENCES,
    Sentences,
    hint,
    merchant,
    sentences,
    shopper,
    to_dict,
)

__all__ = [
    "HINTS",
    "SENTENCES",
    "Sentences",
    "hint",
    "merchant",
    "sentences",
    "shopper",
    "to_dict",
]
