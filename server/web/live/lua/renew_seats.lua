-- Renews the leases of one caller's seats (open sockets); also restores them in an emptied Redis.
-- KEYS: sorted set of the caller's seats, scored by expiry (Unix seconds).
-- ARGV: lease in seconds, then the id of each seat. Returns nothing.
local till = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], till, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
