"""Whether a line has room for one more, from counts alone: by merchant, then site, then address.

Pure: knows no row, no request, no Redis. Whoever holds less than a fair share of a full line is
let in although it is full; only who holds more is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

# Merchant, site, and a mark of the address; None for who is known by no address.
Place = tuple[str, str, str | None]
OVERFLOW = 2  # a full line is never overdrawn further by ever more sites and addresses


def admits(waiting: Mapping[Place, int], newcomer: Place, most: int, *, sheds: bool) -> bool:
    """Whether the newcomer may join those who wait. `sheds`: the line is full as it stands.

    A merchant at or below its fair share is let in while any other is above it, and always where
    it is below. One that is not may still let in an address that is below its share of the
    merchant's, up to twice the merchant's share.
    """
    depth = sum(waiting.values())
    limit = min(most, depth) if sheds else most
    if depth == 0 or depth < limit:
        return True
    merchants = _counts(waiting, (), newcomer)
    share, mine = limit / len(merchants), merchants[newcomer[0]]
    if mine <= share and max(merchants.values()) > share:
        return True
    if mine >= OVERFLOW * share or depth >= OVERFLOW * limit:
        return False
    return _fits_within(waiting, newcomer, share)


def _fits_within(waiting: Mapping[Place, int], newcomer: Place, limit: float) -> bool:
    """Among its merchant's sites, then its site's addresses, which together hold `limit` already.

    The newcomer counts here: of many who each have one waiting, none is above its share.
    """
    for level in (1, 2):
        held = _counts(waiting, newcomer[:level], newcomer)
        share = limit / len(held)
        if held[newcomer[level]] + 1 <= share:
            return True
        limit = share
    return False


def _counts(
    waiting: Mapping[Place, int], above: tuple[str | None, ...], newcomer: Place
) -> Counter[str | None]:
    """What waits below `above`, by its children; the newcomer's is one of them."""
    held: Counter[str | None] = Counter({newcomer[len(above)]: 0})
    for place, count in waiting.items():
        if place[: len(above)] == above:
            held[place[len(above)]] += count
    return held
