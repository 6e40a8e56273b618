-- A function for whoever lines a merchant up: who is in the ring keeps its place. LREM and RPUSH would
-- send whoever enqueues often to the back again and again, and it would never have its turn.
local function join(ring, merchant, at_front)
  if redis.call('LPOS', ring, merchant) then return end
  redis.call(at_front and 'LPUSH' or 'RPUSH', ring, merchant)
end
