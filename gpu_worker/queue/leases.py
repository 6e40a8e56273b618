"""Who holds which job: every move of a job id between RQ's lists, as one atomic script each.

Knows Redis, RQ's key names and ours. A job is always in exactly one of its queue's list and the
queue's started registry (`rq:wip:<queue>`, member `job:execution`); a member is held for as long
as its lease key lives, by Redis's own clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gpu_worker import contract
from gpu_worker.contract import Lane

if TYPE_CHECKING:
    from redis import Redis

MAX_LOSSES = 3
ALONE_FROM = 2
# RQ's own cleanup, run by whoever looks at a registry, must never take a job from us: entries are
# scored a day ahead, and the lease key alone says who lives.
REGISTRY_S = 86_400
ANY_NUMBER = 1 << 31

_TAKE = """
local function take(name, id, execution, worker, now, lease_ms, registry_s)
  local member = id .. ':' .. execution
  redis.call('ZADD', 'rq:wip:' .. name, now + registry_s, member)
  redis.call('HSET', 'rq:execution:' .. member, 'id', execution, 'created_at', now,
             'last_heartbeat', now, 'worker_name', worker)
  redis.call('EXPIRE', 'rq:execution:' .. member, registry_s)
  redis.call('ZADD', 'rq:executions:' .. id, now + registry_s, execution)
  redis.call('EXPIRE', 'rq:executions:' .. id, registry_s)
  redis.call('SET', 'proteus:lease:' .. member, worker, 'PX', lease_ms)
end
local function forget(name, id, execution)
  local member = id .. ':' .. execution
  redis.call('DEL', 'rq:execution:' .. member, 'proteus:lease:' .. member)
  redis.call('ZREM', 'rq:executions:' .. id, execution)
  return redis.call('ZREM', 'rq:wip:' .. name, member)
end
local function join(engine, name, at_front)
  local lane, merchant = string.match(name, '^[^:]*:(%a+):(.*)$')
  if not lane then return end
  local ring = 'proteus:ring:' .. engine .. ':' .. lane
  if redis.call('LPOS', ring, merchant) then return end
  redis.call(at_front and 'LPUSH' or 'RPUSH', ring, merchant)
end
local function put_back(engine, name, id)
  if redis.call('LPOS', 'rq:queue:' .. name, id) then return end
  redis.call('HSET', 'rq:job:' .. id, 'status', 'queued')
  redis.call('LPUSH', 'rq:queue:' .. name, id)
  join(engine, name, true)
  redis.call('LPUSH', 'proteus:bell:' .. engine, '1')
  redis.call('LTRIM', 'proteus:bell:' .. engine, 0, 15)
end
local function losses(id) return tonumber(redis.call('HGET', 'rq:job:' .. id, 'losses') or '0') end
"""

# Who waits gets the same milliseconds, whatever its jobs cost. A hash for each lane holds what each
# merchant had, and under '' the clock: what each of those in line should have had since. Who joins
# the line is level with the clock; who leaves it takes no credit along, and what it owes melts as
# the clock goes on.
_SHARES = """
local function shares(engine, lane) return 'proteus:shares:' .. engine .. ':' .. lane end
local function line(engine, lane) return 'proteus:ring:' .. engine .. ':' .. lane end
local function clock(key) return tonumber(redis.call('HGET', key, '') or '0') end
local function leave(engine, lane, merchant)
  local key = shares(engine, lane)
  local had = redis.call('HGET', key, merchant)
  if had and tonumber(had) <= clock(key) then redis.call('HDEL', key, merchant) end
end
local function charge(engine, lane, merchant, ms)
  local key, ring = shares(engine, lane), line(engine, lane)
  local now, waits = clock(key), redis.call('LPOS', ring, merchant)
  local among = redis.call('LLEN', ring) + (waits and 0 or 1)
  local had = tonumber(redis.call('HGET', key, merchant) or now)
  redis.call('HSET', key, '', string.format('%.3f', now + ms / among),
             merchant, string.format('%.3f', had + ms))
  redis.call('EXPIRE', key, 3600)
  if not waits then leave(engine, lane, merchant) end
end
local function next_in_line(engine, lane, skipped, full)
  local key, had = shares(engine, lane), {}
  local now, flat = clock(key), redis.call('HGETALL', key)
  for i = 1, #flat, 2 do had[flat[i]] = tonumber(flat[i + 1]) end
  local first
  for _, merchant in ipairs(redis.call('LRANGE', line(engine, lane), 0, -1)) do
    if not had[merchant] then
      had[merchant] = now
      redis.call('HSET', key, merchant, string.format('%.3f', now))
    end
    local passed = skipped[merchant] or full[merchant]
    if not passed and (not first or had[merchant] < had[first]) then first = merchant end
  end
  return first
end
local function heal_shares(engine, lane)
  local key, ring = shares(engine, lane), redis.call('LRANGE', line(engine, lane), 0, -1)
  if #ring == 0 then redis.call('DEL', key) return end
  local waits = {['']=true}
  for _, merchant in ipairs(ring) do waits[merchant] = true end
  for _, merchant in ipairs(redis.call('HKEYS', key)) do
    if not waits[merchant] then leave(engine, lane, merchant) end
  end
end
"""

# ARGV: engine, worker, now, lease_ms, registry_s, most of live, most of both, bulk at least,
# the ms that a job is charged with until more is known, how many more live ones of merchants who
# are not here, how many of one queue workers may hold together, how many merchants are here, those,
# an execution id for each.
_CLAIM = (
    _TAKE
    + _SHARES
    + """
if redis.call('EXISTS', 'rq:suspended') == 1 then return {} end
local engine, worker, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local claimed, here, newcomers, ids = {}, {}, tonumber(ARGV[10]), 13 + tonumber(ARGV[12])
for i = 13, ids - 1 do here[ARGV[i]] = true end
for lane, word in ipairs({'live', 'bulk'}) do
  local most = tonumber(ARGV[5 + lane])
  local limit, full = most + newcomers, {}
  if lane == 2 then
    most = math.max(most, #claimed + tonumber(ARGV[8]))
    limit = most
  end
  while #claimed < limit do
    local merchant = next_in_line(engine, word, #claimed < most and {} or here, full)
    if not merchant then break end
    local name = engine .. ':' .. word .. ':' .. merchant
    if redis.call('ZCARD', 'rq:wip:' .. name) >= tonumber(ARGV[11]) then
      full[merchant] = true
    else
      redis.call('LREM', line(engine, word), 1, merchant)
      local id = redis.call('LPOP', 'rq:queue:' .. name)
      -- Its turn is over: handed back it stands before all turns.
      if id then redis.call('HDEL', 'proteus:turns:' .. name, id) end
      if redis.call('LLEN', 'rq:queue:' .. name) > 0 then
        redis.call('RPUSH', line(engine, word), merchant)
      end
      if id and redis.call('EXISTS', 'rq:job:' .. id) == 1 then
        local execution = ARGV[ids + #claimed]
        here[merchant] = true
        take(name, id, execution, worker, now, tonumber(ARGV[4]), tonumber(ARGV[5]))
        claimed[#claimed + 1] = {id, execution, name, losses(id)}
        charge(engine, word, merchant, tonumber(ARGV[9]))
      else
        leave(engine, word, merchant)
      end
    end
  end
end
return claimed
"""
)

# ARGV: engine, then lane, merchant, ms of each.
_CHARGE = (
    _SHARES
    + """
for i = 2, #ARGV, 3 do charge(ARGV[1], ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
"""
)

# ARGV: now, lease_ms, registry_s, then name, id, execution of each. Returns the lost members.
_KEEP = """
local lost, now = {}, tonumber(ARGV[1])
for i = 4, #ARGV, 3 do
  local member = ARGV[i + 1] .. ':' .. ARGV[i + 2]
  local wip, execution = 'rq:wip:' .. ARGV[i], 'rq:execution:' .. member
  if redis.call('EXISTS', 'proteus:lease:' .. member) == 1
     and redis.call('ZSCORE', wip, member) then
    redis.call('PEXPIRE', 'proteus:lease:' .. member, ARGV[2])
    redis.call('ZADD', wip, 'XX', now + tonumber(ARGV[3]), member)
    redis.call('HSET', execution, 'last_heartbeat', now)
    redis.call('EXPIRE', execution, ARGV[3])
  else
    lost[#lost + 1] = member
  end
end
return lost
"""

# ARGV: engine, then name, id, execution of each.
_HAND_BACK = (
    _TAKE
    + """
for i = 2, #ARGV, 3 do
  if forget(ARGV[i], ARGV[i + 1], ARGV[i + 2]) == 1
     and redis.call('EXISTS', 'rq:job:' .. ARGV[i + 1]) == 1 then
    put_back(ARGV[1], ARGV[i], ARGV[i + 1])
  end
end
"""
)

# ARGV: engine, worker, now, lease_ms, registry_s, max_losses, a seed for execution ids.
# Returns {how many came back, {id, execution, name, losses} of those lost too often}.
_RECOVER = (
    _TAKE
    + _SHARES
    + """
local engine, worker, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local back, hopeless, empty = 0, {}, {}
for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  local name = string.sub(key, 10)
  if string.sub(name, 1, #engine + 1) == engine .. ':' then
    for _, member in ipairs(redis.call('ZRANGE', 'rq:wip:' .. name, 0, -1)) do
      if redis.call('EXISTS', 'proteus:lease:' .. member) == 0 then
        local id, execution = string.match(member, '^([^:]*):(.*)$')
        forget(name, id, execution)
        local job = 'rq:job:' .. id
        if redis.call('EXISTS', job) == 1 then
          if redis.call('HGET', job, 'status') == 'started' then
            redis.call('HINCRBY', job, 'losses', 1)
          end
          if losses(id) >= tonumber(ARGV[6]) then
            local mine = ARGV[7] .. #hopeless
            take(name, id, mine, worker, now, tonumber(ARGV[4]), tonumber(ARGV[5]))
            hopeless[#hopeless + 1] = {id, mine, name, losses(id)}
          else
            put_back(engine, name, id)
            back = back + 1
          end
        end
      end
    end
    redis.call('ZREMRANGEBYSCORE', 'rq:failed:' .. name, 0, now)
    if redis.call('LLEN', key) > 0 then
      join(engine, name, false)
    elseif redis.call('EXISTS', 'rq:wip:' .. name, 'rq:failed:' .. name) == 0 then
      empty[#empty + 1] = key
    end
  end
end
-- Who enqueues in one of them names it again. One stays: by it the arbitrator knows the engine.
for i = 2, #empty do redis.call('SREM', 'rq:queues', empty[i]) end
heal_shares(engine, 'live')
heal_shares(engine, 'bulk')
return {back, hopeless}
"""
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job this worker holds. `losses`: how many workers died while they ran it; `charged_ms`:
    what its merchant was charged with for it so far."""

    job_id: str
    execution_id: str
    queue: str
    losses: int = 0
    charged_ms: float = 0.0

    @property
    def member(self) -> str:
        return f"{self.job_id}:{self.execution_id}"

    @property
    def lane(self) -> Lane:
        return Lane(self.queue.split(":")[1])

    @property
    def merchant(self) -> str:
        return self.queue.split(":", 2)[2]

    @property
    def runs_alone(self) -> bool:
        return self.losses >= ALONE_FROM

    @classmethod
    def from_redis(cls, row: Sequence[Any], charged_ms: float = 0.0) -> Claim:
        return cls(row[0].decode(), row[1].decode(), row[2].decode(), int(row[3]), charged_ms)


@dataclass(frozen=True, slots=True)
class Room:
    """How many jobs may be claimed: of the live lane, of both together, and of the bulk lane even
    when the live one takes all the rest; beyond that, one live job of each of so many merchants
    who are not `here`."""

    live: int
    both: int
    bulk_at_least: int
    newcomers: int = 0
    here: frozenset[str] = field(default=frozenset(), compare=False)

    def __bool__(self) -> bool:
        return self.is_free or bool(self.newcomers)

    @property
    def is_free(self) -> bool:
        """For whoever comes."""
        return bool(self.live or self.both or self.bulk_at_least)

    @property
    def most(self) -> int:
        return max(self.live, self.both) + self.bulk_at_least + self.newcomers

    def exceeds(self, other: Room) -> bool:
        """Whether there is room here that there was not in `other`."""
        return (
            self.live > other.live
            or self.both > other.both
            or self.bulk_at_least > other.bulk_at_least
            or self.newcomers > other.newcomers
        )


class Leases:
    """All that one worker may do with jobs in Redis, short of RQ's own settling. `per_merchant`:
    how many jobs of one merchant's queue all workers together may hold; more wait, and others'
    pass them."""

    def __init__(
        self,
        connection: Redis,
        engine: str,
        worker: str,
        lease_s: float,
        per_merchant: int = ANY_NUMBER,
    ):
        self._connection = connection
        self._engine = engine
        self._worker = worker
        self._lease_ms = round(lease_s * 1000)
        self._per_merchant = per_merchant
        self._claim = connection.register_script(_CLAIM)
        self._charge = connection.register_script(_CHARGE)
        self._keep = connection.register_script(_KEEP)
        self._hand_back = connection.register_script(_HAND_BACK)
        self._recover = connection.register_script(_RECOVER)

    def claim(self, room: Room, expected_ms: float = 1000) -> list[Claim]:
        """Takes live jobs, then bulk jobs, as far as there is room; always of the merchant that
        is furthest behind, between equals in turns. Each is charged with `expected_ms` at once,
        or whoever is behind would take all the room there is."""
        sizes = [room.live, room.both, room.bulk_at_least]
        charged_ms = max(1.0, expected_ms)
        here: list[str | int] = [len(room.here), *sorted(room.here)]
        executions = [uuid4().hex for _ in range(room.most)]
        more = [room.newcomers, self._per_merchant]
        terms = [*self._terms(), *sizes, f"{charged_ms:.3f}", *more, *here]
        rows = self._claim(args=[self._engine, self._worker, *terms, *executions])
        return [Claim.from_redis(row, charged_ms) for row in rows]

    def charge(self, bill: Mapping[tuple[Lane, str], float]) -> None:
        """Charges merchants, by lane, with ms of the engine; less than 0 gives back."""
        rows = [part for (lane, m), ms in bill.items() for part in (lane.value, m, f"{ms:.3f}")]
        if rows:
            self._charge(args=[self._engine, *rows])

    def keep(self, claims: Iterable[Claim]) -> set[str]:
        """Renews leases; returns the ids of jobs that are no longer ours."""
        members = [part for c in claims for part in (c.queue, c.job_id, c.execution_id)]
        lost = self._keep(args=[*self._terms(), *members]) if members else []
        return {member.decode().split(":")[0] for member in lost}

    def hand_back(self, claims: Iterable[Claim]) -> None:
        """Puts jobs back where they came from, first in line, without a mark against them."""
        members = [part for c in claims for part in (c.queue, c.job_id, c.execution_id)]
        if members:
            self._hand_back(args=[self._engine, *members])

    def abandon(self, claims: Iterable[Claim]) -> None:
        """Lets go of jobs as if we had died: whoever recovers next puts them back and suspects
        them."""
        keys = [contract.lease_key(claim.member) for claim in claims]
        if keys:
            self._connection.delete(*keys)

    def recover(self) -> tuple[int, list[Claim]]:
        """Puts the jobs of dead workers back, heals the rings, and forgets empty queues but one.

        Returns how many came back, and those lost too often, which this worker now holds
        and must fail.
        """
        back, rows = self._recover(
            args=[self._engine, self._worker, *self._terms(), MAX_LOSSES, uuid4().hex]
        )
        return int(back), [Claim.from_redis(row) for row in rows]

    def _terms(self) -> list[str | int]:
        return [f"{time.time():.3f}", self._lease_ms, REGISTRY_S]
