"""An operator's hand on an engine's policy, for a time that ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_worker import contract
from gpu_worker.control import Override
from gpu_worker.queue.redis import fields_of

if TYPE_CHECKING:
    from redis import Redis


def set_override(connection: Redis, engine: str, override: Override, for_s: float) -> None:
    """Replaces whatever was held fast; at the next turn the arbitrator obeys, until the end."""
    asked = {"batch_size": override.batch_size, "tier": override.tier, "mode": override.mode}
    words = {name: str(word) for name, word in asked.items() if word is not None}
    key = contract.override_key(engine)
    with connection.pipeline() as pipe:
        pipe.delete(key)
        pipe.hset(key, mapping=fields_of(words))
        pipe.pexpire(key, round(for_s * 1000))
        pipe.execute()


def clear_override(connection: Redis, engine: str) -> bool:
    """Back to the law. Returns whether anything was held."""
    return bool(connection.delete(contract.override_key(engine)))
