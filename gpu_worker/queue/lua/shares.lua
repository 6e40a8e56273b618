-- Functions for fair share (fair queueing with a virtual clock): merchants who wait get the same
-- milliseconds of the engine, whatever their jobs cost. Needs names.lua.
-- A hash for each lane: what each merchant received, and under '' the clock, what each waiting one
-- is entitled to. Every charge moves the clock on by ms / number of waiting merchants. A merchant
-- that begins to wait starts at the clock; one that stops loses its credit, and keeps a debt until
-- the clock has passed it.
local function clock(key) return tonumber(redis.call('HGET', key, '') or '0') end
local function leave(lane, merchant)
  local key = SHARES[lane]
  local had = redis.call('HGET', key, merchant)
  if had and tonumber(had) <= clock(key) then redis.call('HDEL', key, merchant) end
end
local function charge(lane, merchant, ms)
  local key, ring = SHARES[lane], RING[lane]
  local now, waits = clock(key), redis.call('LPOS', ring, merchant)
  -- The charged merchant shares the engine too, even if none of its jobs waits.
  local among = redis.call('LLEN', ring) + (waits and 0 or 1)
  local had = tonumber(redis.call('HGET', key, merchant) or now)
  redis.call('HSET', key, '', string.format('%.3f', now + ms / among),
             merchant, string.format('%.3f', had + ms))
  redis.call('EXPIRE', key, 3600)
  if not waits then leave(lane, merchant) end
end
local function next_in_line(lane, skipped, full)
  local key, had = SHARES[lane], {}
  local now, flat = clock(key), redis.call('HGETALL', key)
  for i = 1, #flat, 2 do had[flat[i]] = tonumber(flat[i + 1]) end
  local first
  for _, merchant in ipairs(redis.call('LRANGE', RING[lane], 0, -1)) do
    if not had[merchant] then  -- it begins to wait, level with the clock
      had[merchant] = now
      redis.call('HSET', key, merchant, string.format('%.3f', now))
    end
    local passed = skipped[merchant] or full[merchant]
    if not passed and (not first or had[merchant] < had[first]) then first = merchant end
  end
  return first
end
local function heal_shares(lane)
  local key, ring = SHARES[lane], redis.call('LRANGE', RING[lane], 0, -1)
  if #ring == 0 then redis.call('DEL', key) return end  -- no merchant waits: accounts begin anew
  local waits = {['']=true}
  for _, merchant in ipairs(ring) do waits[merchant] = true end
  for _, merchant in ipairs(redis.call('HKEYS', key)) do
    if not waits[merchant] then leave(lane, merchant) end
  end
end
