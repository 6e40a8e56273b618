-- Takes a seat (a lease for one open socket) if there is room; first drops expired ones, which dead
-- processes left. Uses Redis' clock, so that the servers' clocks need not agree.
-- KEYS: sorted set of the caller's seats, scored by expiry (Unix seconds).
-- ARGV: id of the seat, how many there may be, lease in seconds. Returns 1 if taken, else 0.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
