-- A function that puts a merchant into the ring, unless it is there already. Not LREM and RPUSH:
-- these would move a merchant who enqueues often to the end each time, and it would get no turn.
local function join(ring, merchant, at_front)
  if redis.call('LPOS', ring, merchant) then return end
  redis.call(at_front and 'LPUSH' or 'RPUSH', ring, merchant)
end
