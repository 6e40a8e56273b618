-- Frees the lock, if it is ours, so that another leads at once.
-- KEYS: the lock. ARGV: name. Returns 1 where the lock was ours.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
