-- Queue position of a job that is not enqueued yet. Needs rounds.lua.
-- KEYS: the queue, its turns. ARGV: its turn. Returns how many waiting jobs would be before it.
count()
local mine, address, round = (held[ARGV[1]] or 0) + 1, address_of(ARGV[1]), 1
local function is_here(place)
  local turn = turn_by_id[ids[place]]
  return turn and address_of(turn) == address
end
-- Its round: within its own address it goes behind all jobs of the same or an earlier `nth`.
for place in ipairs(ids) do
  if is_here(place) and nth[place] <= mine then round = round + 1 end
end
local before = 0
for place in ipairs(ids) do
  -- Jobs of other addresses in the same round are before it: it was enqueued last.
  local earlier = rounds[place] <= round
  if is_here(place) then earlier = nth[place] <= mine end
  if earlier then before = before + 1 end
end
return before
