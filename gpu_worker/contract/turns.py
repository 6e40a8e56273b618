"""Round-robin order of one merchant's queue: over addresses first, within each over its shoppers.

The n-th waiting job of an address is in round n. By address, since anybody can make new shoppers
for nothing, but not new addresses. Within an address, the first job of each shopper comes before
the second of any; jobs without a shopper count as one shopper's. A job without an entry in the hash
of turns was handed back by a worker; it goes before all rounds.
"""

from __future__ import annotations

from pathlib import Path

from gpu_worker.contract.scripts import lua

TURNS_TTL_S = 86_400


def turn_of(shopper_id: str | None, asked_from: str | None) -> str:
    """Whose turn a job takes: `<address> <shopper>`. A shopper whose address is unknown counts as
    an address of her own."""
    return f"{asked_from or shopper_id or ''} {shopper_id or ''}"


_LUA = Path(__file__).with_name("lua")

# Run as `pipeline.eval(TAKE_TURN, 2, queue_key, turns_key, job_id, turn, TURNS_TTL_S)` in the MULTI
# that enqueues, after the push to the end.
TAKE_TURN = lua(_LUA, "rounds", "take_turn")
BEFORE_NEXT = lua(_LUA, "rounds", "before_next")
