-- Puts the jobs of dead workers back, repairs rings and shares, removes empty queues but one.
-- KEYS: as names.lua says. Needs join.lua, moves.lua and shares.lua.
-- ARGV: engine, worker, now, lease_ms, registry_s, bell length, max losses, execution ids' prefix.
-- Returns {how many came back, {id, execution, queue, losses} of each poison message: lost too
-- often, now held by this worker, which must fail it}.
local engine, worker, now, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local registry_s, bell_length, max_losses = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local back, hopeless, empty = 0, {}, {}
for _, key in ipairs(redis.call('SMEMBERS', QUEUES)) do
  local name = string.sub(key, #QUEUE + 1)
  if string.sub(name, 1, #engine + 1) == engine .. ':' then
    for _, member in ipairs(redis.call('ZRANGE', STARTED .. name, 0, -1)) do
      if redis.call('EXISTS', LEASE .. member) == 0 then
        local id, execution = string.match(member, '^([^:]*):(.*)$')
        forget(name, id, execution)
        if redis.call('EXISTS', JOB .. id) == 1 then
          -- Only a job that had begun to run may have killed its worker.
          if redis.call('HGET', JOB .. id, 'status') == 'started' then
            redis.call('HINCRBY', JOB .. id, 'losses', 1)
          end
          if losses(id) >= max_losses then
            -- Held by this worker at once, so that no other one runs it again.
            local mine = ARGV[8] .. #hopeless
            take(name, id, mine, worker, now, lease_ms, registry_s)
            hopeless[#hopeless + 1] = {id, mine, name, losses(id)}
          else
            put_back(name, id, bell_length)
            back = back + 1
          end
        end
      end
    end
    redis.call('ZREMRANGEBYSCORE', FAILED .. name, 0, now)
    if redis.call('LLEN', key) > 0 then
      line_up(name, false)
    elseif redis.call('EXISTS', STARTED .. name, FAILED .. name) == 0 then
      empty[#empty + 1] = key
    end
  end
end
-- Enqueueing adds a queue again. One stays, because the arbitrator finds the engine by it.
for i = 2, #empty do redis.call('SREM', QUEUES, empty[i]) end
heal_shares('live')
heal_shares('bulk')
return {back, hopeless}
