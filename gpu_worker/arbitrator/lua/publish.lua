-- Writes every engine's policy and how many workers are wanted, if the caller holds the lock.
-- KEYS: the lock, the scale, then each policy. ARGV: name, TTL in ms of the policies, of the scale,
--   the scale as JSON {engine: workers}, then each policy as JSON {field: text}.
-- Returns 1 to the lock's holder, else 0: nothing was written.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 3, #KEYS do
  redis.call('DEL', KEYS[i])
  for field, text in pairs(cjson.decode(ARGV[i + 2])) do redis.call('HSET', KEYS[i], field, text) end
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
for engine, workers in pairs(cjson.decode(ARGV[4])) do
  redis.call('HSET', KEYS[2], engine, workers)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
