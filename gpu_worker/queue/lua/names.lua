-- Begins every script and its functions: the keys, and what is built from a queue's name or a job's id.
-- KEYS: ring of live, ring of bulk, shares of live, shares of bulk, bell, suspension, names of queues.
-- The prefixes are those of contract/names.py; tests/gpu_worker/queue/test_scripts.py holds them equal.
local RING = {live = KEYS[1], bulk = KEYS[2]}
local SHARES = {live = KEYS[3], bulk = KEYS[4]}
local BELL, SUSPENDED, QUEUES = KEYS[5], KEYS[6], KEYS[7]
local LEASE, TURNS = 'proteus:lease:', 'proteus:turns:'
local QUEUE, JOB = 'rq:queue:', 'rq:job:'
local STARTED, FAILED = 'rq:wip:', 'rq:failed:'
local EXECUTION, EXECUTIONS = 'rq:execution:', 'rq:executions:'
