-- Claims live jobs, then bulk jobs, by fair share: always of the merchant that is furthest behind.
-- KEYS: as names.lua says. Needs join.lua, moves.lua and shares.lua.
-- ARGV: prefix of live queues' names, of bulk queues', worker, now, lease_ms, registry_s,
--   then the Capacity: live, both, bulk_at_least, [10] ms to charge for a job in advance,
--   newcomers, how many jobs of one queue all workers together may hold, how many merchants are in
--   `here`, these merchants, an execution id for each job.
-- Returns {id, execution, queue, losses} of each job claimed.
if redis.call('EXISTS', SUSPENDED) == 1 then return {} end
local prefixes = {live = ARGV[1], bulk = ARGV[2]}
local worker, now, lease_ms, registry_s = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most_of = {live = tonumber(ARGV[7]), bulk = tonumber(ARGV[8])}
local bulk_at_least, charged_ms = tonumber(ARGV[9]), tonumber(ARGV[10])
local newcomers, per_merchant = tonumber(ARGV[11]), tonumber(ARGV[12])
local claimed, here, ids = {}, {}, 14 + tonumber(ARGV[13])
for i = 14, ids - 1 do here[ARGV[i]] = true end
for _, lane in ipairs({'live', 'bulk'}) do
  local most = most_of[lane]
  local limit, full = most + newcomers, {}
  if lane == 'bulk' then
    most = math.max(most, #claimed + bulk_at_least)
    limit = most
  end
  while #claimed < limit do
    -- Beyond `most` only newcomers: merchants of whom this worker holds no job.
    local merchant = next_in_line(lane, #claimed < most and {} or here, full)
    if not merchant then break end
    local name = prefixes[lane] .. merchant
    if redis.call('ZCARD', STARTED .. name) >= per_merchant then
      full[merchant] = true  -- its jobs wait, others overtake them
    else
      redis.call('LREM', RING[lane], 1, merchant)
      local id = redis.call('LPOP', QUEUE .. name)
      -- It has had its turn: should it be handed back, a job without a turn goes before all rounds.
      if id then redis.call('HDEL', TURNS .. name, id) end
      if redis.call('LLEN', QUEUE .. name) > 0 then
        redis.call('RPUSH', RING[lane], merchant)  -- round robin between equals
      end
      if id and redis.call('EXISTS', JOB .. id) == 1 then
        local execution = ARGV[ids + #claimed]
        here[merchant] = true
        take(name, id, execution, worker, now, lease_ms, registry_s)
        claimed[#claimed + 1] = {id, execution, name, losses(id)}
        charge(lane, merchant, charged_ms)
      else  -- no job, or one without its hash, which cannot run: the merchant's credit ends
        leave(lane, merchant)
      end
    end
  end
end
return claimed
