-- Puts a merchant into the ring, in the MULTI that enqueues its job. Needs join.lua.
-- KEYS: the ring. ARGV: the merchant. Returns nothing.
join(KEYS[1], ARGV[1], false)
