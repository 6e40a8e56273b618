-- The first part of every script, before its functions: names for KEYS, and prefixes of other keys.
-- KEYS: ring of live, ring of bulk, shares of live, of bulk, bell, RQ_SUSPENDED, RQ_QUEUES.
-- Prefixes as in contract/names.py; tests/gpu_worker/queue/test_scripts.py compares them.
local RING = {live = KEYS[1], bulk = KEYS[2]}
local SHARES = {live = KEYS[3], bulk = KEYS[4]}
local BELL, SUSPENDED, QUEUES = KEYS[5], KEYS[6], KEYS[7]
local LEASE, TURNS = 'proteus:lease:', 'proteus:turns:'
local QUEUE, JOB = 'rq:queue:', 'rq:job:'
local STARTED, FAILED = 'rq:wip:', 'rq:failed:'
local EXECUTION, EXECUTIONS = 'rq:execution:', 'rq:executions:'
