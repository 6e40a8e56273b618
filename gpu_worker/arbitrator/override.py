"""Writes and removes an operator's override of an engine's policy, which expires by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_worker import contract
from gpu_worker.control import Override
from gpu_worker.queue.redis import fields_of

if TYPE_CHECKING:
    from redis import Redis


def set_override(connection: Redis, engine: str, override: Override, for_s: float) -> None:
    """Replaces any earlier override. The arbitrator applies it from its next turn on."""
    asked = {"batch_size": override.batch_size, "tier": override.tier, "mode": override.mode}
    words = {name: str(word) for name, word in asked.items() if word is not None}
    key = contract.override_key(engine)
    with connection.pipeline() as pipe:  # one MULTI, so that no field of an earlier one stays
        pipe.delete(key)
        pipe.hset(key, mapping=fields_of(words))
        pipe.pexpire(key, round(for_s * 1000))
        pipe.execute()


def clear_override(connection: Redis, engine: str) -> bool:
    """Removes the override. Returns whether there was one."""
    return bool(connection.delete(contract.override_key(engine)))
