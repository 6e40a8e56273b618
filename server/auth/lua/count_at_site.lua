-- Counts one request against a site's budget of a window, and against its address's part of it.
-- KEYS: a hash that lives for a window: how often each address asked, and under '' all together.
-- ARGV: the address, the window in s.
-- Returns {how often all asked, how often this address did, how many addresses, how long it still lives}.
local all = redis.call('HINCRBY', KEYS[1], '', 1)
if all == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
local mine = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
return {all, mine, redis.call('HLEN', KEYS[1]) - 1, redis.call('TTL', KEYS[1])}
