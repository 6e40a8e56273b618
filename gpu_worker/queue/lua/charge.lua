-- Charges merchants for ms of the engine; below 0 is a refund.
-- KEYS: as names.lua says. Needs shares.lua. ARGV: lane, merchant, ms of each. Returns nothing.
for i = 1, #ARGV, 3 do charge(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
