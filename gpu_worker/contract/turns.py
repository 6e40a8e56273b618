"""The order of one merchant's queue: by rounds over its shoppers, first jobs first.

The n-th waiting job of a shopper stands in round n; jobs without a shopper are one shopper's. A job
that the hash of turns does not know was handed back, and stands before all rounds.
"""

from __future__ import annotations

TURNS_TTL_S = 86_400

# KEYS: the queue, its turns. `owner_of`: shopper by job; `rounds`: of each waiting id in its order;
# `held`: how many wait of each shopper.
_ROUNDS = """
local queue, turns = KEYS[1], KEYS[2]
local ids, owner_of, rounds, held = redis.call('LRANGE', queue, 0, -1), {}, {}, {}
local flat = redis.call('HGETALL', turns)
for i = 1, #flat, 2 do owner_of[flat[i]] = flat[i + 1] end
local function count()
  for place, id in ipairs(ids) do
    local owner = owner_of[id]
    if owner then held[owner] = (held[owner] or 0) + 1 end
    rounds[place] = owner and held[owner] or 0
  end
end
"""

# Run as `pipeline.eval(TAKE_TURN, 2, queue_key, turns_key, job_id, shopper_id, TURNS_TTL_S)` in the
# MULTI that enqueues, after the push to the end. Ids that no longer wait are forgotten.
TAKE_TURN = (
    _ROUNDS
    + """
if ids[#ids] == ARGV[1] then
  owner_of[ARGV[1]] = ARGV[2]
  redis.call('HSET', turns, ARGV[1], ARGV[2])
end
count()
local by_round, last, waits = {}, 0, {}
for place, id in ipairs(ids) do
  local round = rounds[place]
  by_round[round] = by_round[round] or {}
  table.insert(by_round[round], id)
  last, waits[id] = math.max(last, round), true
end
local ordered, moved = {}, false
for round = 0, last do
  for _, id in ipairs(by_round[round] or {}) do
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
for id in pairs(owner_of) do
  if not waits[id] then redis.call('HDEL', turns, id) end
end
redis.call('EXPIRE', turns, ARGV[3])
"""
)

# ARGV: the shopper. Returns how many would stand before one more job of hers.
BEFORE_NEXT = (
    _ROUNDS
    + """
count()
local mine, before = (held[ARGV[1]] or 0) + 1, 0
for _, round in ipairs(rounds) do
  if round <= mine then before = before + 1 end
end
return before
"""
)
