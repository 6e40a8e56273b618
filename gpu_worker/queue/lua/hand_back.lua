-- Puts jobs back at the head of their queues, without counting a loss.
-- KEYS: as names.lua says. Needs join.lua and moves.lua.
-- ARGV: bell length, then queue, id, execution of each. Returns nothing.
for i = 2, #ARGV, 3 do
  if forget(ARGV[i], ARGV[i + 1], ARGV[i + 2]) == 1
     and redis.call('EXISTS', JOB .. ARGV[i + 1]) == 1 then
    put_back(ARGV[i], ARGV[i + 1], tonumber(ARGV[1]))
  end
end
