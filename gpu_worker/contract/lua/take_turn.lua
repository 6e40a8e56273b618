-- Moves a job that was just pushed to the queue's end to its place in the rounds, and forgets the
-- turns of jobs that no longer wait. Run in the MULTI that enqueues. Needs rounds.lua.
-- KEYS: the queue, its turns. ARGV: job id, its turn, the turns' TTL in s. Returns nothing.
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
  -- In chunks, because unpack has a limit of arguments.
  for i = 1, #ordered, 1000 do
    redis.call('RPUSH', queue, unpack(ordered, i, math.min(i + 999, #ordered)))
  end
end
for id in pairs(turn_by_id) do
  if not waits[id] then redis.call('HDEL', turns, id) end
end
redis.call('EXPIRE', turns, ARGV[3])
