-- Leader lock: takes it, or extends our own.
-- KEYS: the lock. ARGV: name, TTL in ms. Returns 1 to its holder, else 0.
local holder = redis.call('GET', KEYS[1])
if not holder then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end
if holder == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1 end
return 0
