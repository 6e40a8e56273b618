-- A function, `count`, and the tables it fills: the rounds of a queue (see contract/turns.py).
-- KEYS: the queue, its turns. `turn_by_id`: each job's turn (`turn_of`). By place in the queue:
-- `rounds`, and `nth`, 1 for the first job of its turn, 2 for the second. `held`: jobs by turn.
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
      -- mine[n]: places of all jobs of this address that are the n-th of their shopper.
      local mine = by_address[address_of(turn)] or {}
      by_address[address_of(turn)] = mine
      mine[nth[place]] = mine[nth[place]] or {}
      table.insert(mine[nth[place]], place)
    end
  end
  -- One job per round: first the first job of each of its shoppers, then the second of each.
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
