-- Takes a seat for an open socket, by Redis's own clock; those of processes that died have run out.
-- KEYS: the seats of one caller. ARGV: the seat, how many there may be, how long it counts in s.
-- Returns whether there was room.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
