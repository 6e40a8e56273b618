"""Leader election among arbitrators: a Redis lock with a TTL; each write checks that we hold it.

Redis's own clock ends the lock. A process that was paused for longer than the TTL finds another's
name in it and writes nothing.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from gpu_worker import contract

if TYPE_CHECKING:
    from redis import Redis

LOCK_S = 3.0  # after a leader's death the next one leads within this and one turn

_LUA = Path(__file__).with_name("lua")
_ACQUIRE, _PUBLISH, _RELEASE = (
    contract.lua(_LUA, name) for name in ("acquire", "publish", "release")
)


class LeaderLock:
    """One arbitrator's side of the lock, under a name of its own.

    Every method raises `redis.RedisError` if Redis is away.
    """

    def __init__(self, connection: Redis, lock_s: float = LOCK_S):
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._lock_ms = round(lock_s * 1000)
        self._acquire = connection.register_script(_ACQUIRE)
        self._publish = connection.register_script(_PUBLISH)
        self._release = connection.register_script(_RELEASE)

    def acquire(self) -> bool:
        """Takes or extends the lock. Whether we lead, until the TTL ends."""
        return bool(self._acquire(keys=[contract.ARBITRATOR], args=[self.name, self._lock_ms]))

    def publish(
        self,
        policies: Mapping[str, Mapping[str, str]],
        wanted: Mapping[str, int],
        policy_ttl_s: float = contract.POLICY_TTL_S,
    ) -> bool:
        """Writes every engine's policy and number of workers wanted, if we still hold the lock;
        returns whether we did. Check and write are one script."""
        lives = [round(policy_ttl_s * 1000), contract.SCALE_TTL_S * 1000]
        scale = json.dumps({engine: str(count) for engine, count in wanted.items()})
        words = [json.dumps(fields) for fields in policies.values()]
        written = [contract.policy_key(engine) for engine in policies]
        keys = [contract.ARBITRATOR, contract.SCALE, *written]
        return bool(self._publish(keys=keys, args=[self.name, *lives, scale, *words]))

    def release(self) -> None:
        """Frees the lock if it is ours, so that another leads at once."""
        self._release(keys=[contract.ARBITRATOR], args=[self.name])
