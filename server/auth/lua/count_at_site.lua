-- Counts a request in a site's fixed window, in total and for its address.
-- KEYS: a hash with the window as its TTL: requests by address, and under '' of all addresses.
-- ARGV: the address, the window in seconds.
-- Returns {requests of all, requests of this address, number of addresses, seconds left of the window}.
local all = redis.call('HINCRBY', KEYS[1], '', 1)
if all == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
local mine = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
return {all, mine, redis.call('HLEN', KEYS[1]) - 1, redis.call('TTL', KEYS[1])}
