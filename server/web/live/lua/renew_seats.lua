-- Lets the seats of open sockets count for another while; a Redis that was emptied learns them anew.
-- KEYS: the seats of one caller. ARGV: how long they count in s, then each seat. Returns nothing.
local till = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], till, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
