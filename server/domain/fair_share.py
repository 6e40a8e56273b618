"""Admission control by fair share: may one more job join a queue, given who waits there already?

Pure arithmetic over counts; must not know rows, requests or Redis. A full queue still admits
whoever holds less than a fair share of it (by merchant, then site, then address) and refuses those
who hold more. Example: the limit is 100 and merchant A alone has 100 waiting. B's first job is
admitted, because B has 0 of a share of 100 / 2; A's next one from the same address is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

# Merchant, site, and a mark (HMAC) of the address; None for a backend, which has no address.
Place = tuple[str, str, str | None]
# How far a merchant may exceed its share, and the queue its limit, by new sites and addresses.
# Without a bound, opening ever more of them would let a queue grow without end.
OVERFLOW = 2


def admits(waiting: Mapping[Place, int], newcomer: Place, most: int, *, sheds: bool) -> bool:
    """Whether the newcomer may join those in `waiting` (how many wait, by place).

    `most` is the limit of the queue. `sheds`: the engine is overloaded, so the queue counts as full
    at its present length. In a full queue a merchant at or below its share (limit / merchants) is
    admitted while another is above its own. A merchant above its share may still admit an address
    that is below its part of that share, up to OVERFLOW times the merchant's share.
    """
    depth = sum(waiting.values())
    limit = min(most, depth) if sheds else most
    if depth == 0 or depth < limit:  # not full
        return True
    merchants = _counts(waiting, (), newcomer)
    share, mine = limit / len(merchants), merchants[newcomer[0]]
    # With every merchant exactly at its share, the queue is full for all of them.
    if mine <= share and max(merchants.values()) > share:
        return True
    if mine >= OVERFLOW * share or depth >= OVERFLOW * limit:
        return False
    return _fits_within(waiting, newcomer, share)


def _fits_within(waiting: Mapping[Place, int], newcomer: Place, limit: float) -> bool:
    """Whether the newcomer's site holds less than its part of the merchant's `limit`, or else its
    address less than its part of the site's.

    The newcomer is counted in (`+ 1`): of many addresses that each have one waiting, none is above
    its share.
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
    """How many wait under the prefix `above`, by the next part of the place. The newcomer's own
    part is always a key, so that it counts among the sharers."""
    held: Counter[str | None] = Counter({newcomer[len(above)]: 0})
    for place, count in waiting.items():
        if place[: len(above)] == above:
            held[place[len(above)]] += count
    return held
