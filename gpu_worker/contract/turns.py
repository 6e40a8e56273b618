"""The order of one merchant's queue: by rounds over addresses, and within each over its shoppers.

The n-th waiting job of an address stands in round n: shoppers cost nothing to make, addresses do.
Within an address the first job of each shopper comes before the second of any. Jobs without a
shopper are one shopper's. A job that the hash of turns does not know was handed back, and stands
before all rounds.
"""

from __future__ import annotations

TURNS_TTL_S = 86_400


def turn_of(shopper_id: str | None, asked_from: str | None) -> str:
    """Whose turn a job takes: the mark of an address, then the shopper. One whose address is
    unknown is an address of her own."""
    return f"{asked_from or shopper_id or ''} {shopper_id or ''}"


# KEYS: the queue, its turns. `turn_by_id`: as `turn_of` says. Of each waiting id by its place in
# the queue: its round, and which job of its shopper it is (`nth`). `held`: jobs by turn.
_ROUNDS = """
local queue, turns = KEYS[1], KEYS[2]
local ids, turn_by_id, rounds, nth, held = redis.call('LRANGE', queue, 0, -1), {}, {}, {}, {}
local flat = redis.call('HGETALL', turns)
for i = 1, #flat, 2 do turn_by_id[flat[i]] = flat[i + 1] end
local function address_of(turn) return string.match(turn, '^(%S*)') end
local function count()
  local by_address = {}
  for place, id in ipairs(ids) do
    local turn = turn_by_id[id]
    rounds[place] = 0
    if turn then
      held[turn] = (held[turn] or 0) + 1
      nth[place] = held[turn]
      local mine = by_address[address_of(turn)] or {}
      by_address[address_of(turn)] = mine
      mine[nth[place]] = mine[nth[place]] or {}
      table.insert(mine[nth[place]], place)
    end
  end
  for _, by_nth in pairs(by_address) do
    local round = 0
    for _, places in ipairs(by_nth) do
      for _, place in ipairs(places) do
        round = round + 1
        rounds[place] = round
      end
    end
  end
end
"""

# Run as `pipeline.eval(TAKE_TURN, 2, queue_key, turns_key, job_id, turn, TURNS_TTL_S)` in the MULTI
# that enqueues, after the push to the end. Ids that no longer wait are forgotten.
TAKE_TURN = (
    _ROUNDS
    + """
if ids[#ids] == ARGV[1] then
  turn_by_id[ARGV[1]] = ARGV[2]
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
for id in pairs(turn_by_id) do
  if not waits[id] then redis.call('HDEL', turns, id) end
end
redis.call('EXPIRE', turns, ARGV[3])
"""
)

# ARGV: the turn. Returns how many would stand before one more job of it.
BEFORE_NEXT = (
    _ROUNDS
    + """
count()
local mine, address, round = (held[ARGV[1]] or 0) + 1, address_of(ARGV[1]), 1
local function is_here(place)
  local turn = turn_by_id[ids[place]]
  return turn and address_of(turn) == address
end
for place in ipairs(ids) do
  if is_here(place) and nth[place] <= mine then round = round + 1 end
end
local before = 0
for place in ipairs(ids) do
  local earlier = rounds[place] <= round
  if is_here(place) then earlier = nth[place] <= mine end
  if earlier then before = before + 1 end
end
return before
"""
)
