"""The order of one merchant's queue: by rounds over its shoppers, first jobs first.

The n-th waiting job of a shopper stands in round n; jobs without a shopper are one shopper's. Told
twice, in Lua for Redis and here for whoever must say which place a newcomer will get.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

TURNS_TTL_S = 86_400

# Run as `pipeline.eval(TAKE_TURN, 2, queue_key, turns_key, job_id, shopper_id, TURNS_TTL_S)` in the
# MULTI that enqueues, after the push. A job that the hash does not know was handed back, and stays
# before all rounds. Ids that no longer wait are forgotten.
TAKE_TURN = """
local queue, turns = KEYS[1], KEYS[2]
local ids, known, whose = redis.call('LRANGE', queue, 0, -1), {}, {}
local flat = redis.call('HGETALL', turns)
for i = 1, #flat, 2 do known[flat[i]] = flat[i + 1] end
if ids[#ids] == ARGV[1] then known[ARGV[1]] = ARGV[2] end
local held, rounds, last = {}, {}, 0
for _, id in ipairs(ids) do
  local owner, round = known[id], 0
  if owner then
    round = (held[owner] or 0) + 1
    held[owner], whose[id] = round, owner
  end
  rounds[round] = rounds[round] or {}
  table.insert(rounds[round], id)
  last = math.max(last, round)
end
local ordered, moved = {}, false
for round = 0, last do
  for _, id in ipairs(rounds[round] or {}) do
    ordered[#ordered + 1] = id
    moved = moved or ids[#ordered] ~= id
  end
end
if moved then
  redis.call('DEL', queue)
  for i = 1, #ordered, 1000 do
    redis.call('RPUSH', queue, unpack(ordered, i, math.min(i + 999, #ordered)))
  end
end
for id in pairs(known) do
  if not whose[id] then redis.call('HDEL', turns, id) end
end
if whose[ARGV[1]] then redis.call('HSET', turns, ARGV[1], whose[ARGV[1]]) end
redis.call('EXPIRE', turns, ARGV[3])
"""


def in_turns(ids: Sequence[str], whose: Mapping[str, str]) -> list[str]:
    """Waiting ids in the order that TAKE_TURN gives them."""
    held: Counter[str] = Counter()
    rounds: dict[str, int] = {}
    for job_id in ids:
        owner = whose.get(job_id)
        if owner is not None:
            held[owner] += 1
        rounds[job_id] = 0 if owner is None else held[owner]
    return sorted(ids, key=rounds.__getitem__)
