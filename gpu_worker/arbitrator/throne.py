"""Which arbitrator rules: a lock in Redis that its holder extends, and writing only as its holder.

Redis's own clock ends the lock. Who was stopped for longer than it lives finds another's name in
it and writes nothing.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from gpu_worker import contract

if TYPE_CHECKING:
    from redis import Redis

LOCK_S = 3.0  # a dead one is followed within this and one turn

_TAKE = """
local holder = redis.call('GET', KEYS[1])
if not holder then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end
if holder == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1 end
return 0
"""

# KEYS: the lock, the scale. ARGV: name, the policies' life in ms, the scale's, then as JSON
# {policy key: {field: text}} and {engine: workers}.
_PROCLAIM = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for key, fields in pairs(cjson.decode(ARGV[4])) do
  redis.call('DEL', key)
  for field, text in pairs(fields) do redis.call('HSET', key, field, text) end
  redis.call('PEXPIRE', key, ARGV[2])
end
for engine, workers in pairs(cjson.decode(ARGV[5])) do
  redis.call('HSET', KEYS[2], engine, workers)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
"""

_LEAVE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Throne:
    """Every method raises `redis.RedisError` where Redis is away."""

    def __init__(self, connection: Redis, lock_s: float = LOCK_S):
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._lock_ms = round(lock_s * 1000)
        self._take = connection.register_script(_TAKE)
        self._proclaim = connection.register_script(_PROCLAIM)
        self._leave = connection.register_script(_LEAVE)

    def take(self) -> bool:
        """Whether we rule from now until the lock ends."""
        return bool(self._take(keys=[contract.ARBITRATOR], args=[self.name, self._lock_ms]))

    def proclaim(
        self,
        policies: Mapping[str, Mapping[str, str]],
        wanted: Mapping[str, int],
        policy_ttl_s: float = contract.POLICY_TTL_S,
    ) -> bool:
        """Writes, if we still rule, every engine's policy and the workers it wants."""
        keyed = {contract.policy_key(engine): fields for engine, fields in policies.items()}
        lives = [round(policy_ttl_s * 1000), contract.SCALE_TTL_S * 1000]
        words = [json.dumps(keyed), json.dumps({e: str(n) for e, n in wanted.items()})]
        keys = [contract.ARBITRATOR, contract.SCALE]
        return bool(self._proclaim(keys=keys, args=[self.name, *lives, *words]))

    def leave(self) -> None:
        """Lets the next one rule at once."""
        self._leave(keys=[contract.ARBITRATOR], args=[self.name])
