-- Renews leases, which expire by Redis's own clock.
-- KEYS: as names.lua says. ARGV: now, lease_ms, registry_s, then queue, id, execution of each.
-- Returns the members (`job:execution`) whose lease was lost.
local lost, now, lease_ms, registry_s = {}, tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
for i = 4, #ARGV, 3 do
  local member = ARGV[i + 1] .. ':' .. ARGV[i + 2]
  local started, execution = STARTED .. ARGV[i], EXECUTION .. member
  if redis.call('EXISTS', LEASE .. member) == 1 and redis.call('ZSCORE', started, member) then
    redis.call('PEXPIRE', LEASE .. member, lease_ms)
    redis.call('ZADD', started, 'XX', now + registry_s, member)
    redis.call('HSET', execution, 'last_heartbeat', now)
    redis.call('EXPIRE', execution, registry_s)
  else
    lost[#lost + 1] = member
  end
end
return lost
