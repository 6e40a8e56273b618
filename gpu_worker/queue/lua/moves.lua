-- Functions that move a job id between its queue's list and the queue's started registry.
-- `name`: the queue's; `member`: `job:execution` in the registry. Needs names.lua and join.lua.
local function take(name, id, execution, worker, now, lease_ms, registry_s)
  local member = id .. ':' .. execution
  redis.call('ZADD', STARTED .. name, now + registry_s, member)
  redis.call('HSET', EXECUTION .. member, 'id', execution, 'created_at', now,
             'last_heartbeat', now, 'worker_name', worker)
  redis.call('EXPIRE', EXECUTION .. member, registry_s)
  redis.call('ZADD', EXECUTIONS .. id, now + registry_s, execution)
  redis.call('EXPIRE', EXECUTIONS .. id, registry_s)
  redis.call('SET', LEASE .. member, worker, 'PX', lease_ms)
end
local function forget(name, id, execution)
  local member = id .. ':' .. execution
  redis.call('DEL', EXECUTION .. member, LEASE .. member)
  redis.call('ZREM', EXECUTIONS .. id, execution)
  return redis.call('ZREM', STARTED .. name, member)
end
local function line_up(name, at_front)
  local lane, merchant = string.match(name, '^[^:]*:(%a+):(.*)$')
  if lane and RING[lane] then join(RING[lane], merchant, at_front) end
end
local function put_back(name, id, bell_length)
  if redis.call('LPOS', QUEUE .. name, id) then return end
  redis.call('HSET', JOB .. id, 'status', 'queued')
  redis.call('LPUSH', QUEUE .. name, id)
  line_up(name, true)
  redis.call('LPUSH', BELL, '1')
  redis.call('LTRIM', BELL, 0, bell_length - 1)
end
local function losses(id) return tonumber(redis.call('HGET', JOB .. id, 'losses') or '0') end
